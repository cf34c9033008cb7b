"""Deployment to AWS: what the functions are, what they may do, and what ``chalice deploy`` leaves out."""

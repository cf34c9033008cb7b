"""What devices call: polls and reports."""

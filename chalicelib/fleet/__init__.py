"""Device heads, tenants' control items, roster and groups: what calls of devices read.

Head and control item have many writers: each feature changes its own attributes, inside its own transactions, and only
through the functions here.
"""

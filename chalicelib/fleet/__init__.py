"""What a device call needs in one read: device heads and tenants' control items; and who is in the fleet.

The head and control items have many writers: each feature changes its own attributes of them, inside its own
transactions, and only through the functions here.
"""

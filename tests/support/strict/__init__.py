"""Checks every request of the test suite against AWS's documentation, since the embedded engine accepts more than AWS.

``models`` uses botocore's service models; ``dynamodb`` and ``services`` have further documented rules; ``plugin``
checks requests of the app's transports and of boto clients, and fails a test whose request AWS would refuse.
"""

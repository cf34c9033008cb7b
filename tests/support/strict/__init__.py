"""As strict as AWS: every request of the suite is held against what AWS documents, since the embedded engine is laxer.

``models`` knows botocore's service models; ``dynamodb`` and ``services`` what AWS documents beyond them; ``plugin``
listens to the transports of the app and to boto clients, and fails the test whose request AWS would refuse.
"""

"""AWS services other than DynamoDB: one module per service, with the few calls that features need."""

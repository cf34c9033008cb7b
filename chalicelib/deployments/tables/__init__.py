"""The table ``deployments``. The forms of its keys are stored data: changing one needs a migration.

| pk | sk | item |
|---|---|---|
| ``T#t#P#<deployment>`` | ``DEPLOYMENT`` | the deployment |
| ``T#t#P#<deployment>`` | ``CONFIGURATION`` | the configuration of a configuration deployment |
| ``T#t#P#<deployment>`` | ``TARGETS`` | its fixed targets; few are in the deployment, many in the bucket |
| ``T#t#P#<deployment>`` | ``WITHDRAWN#<device>`` | a device that was withdrawn while its targets were being listed |
| ``T#t#P#<deployment>`` | ``ROOM`` | number of devices that have begun, in a deployment that limits it |
| ``T#t#P#<deployment>`` | ``DOWNGRADE`` | exists once a device was flagged or refused because of a downgrade |
| ``T#t#P#<deployment>`` | ``COUNTER#<n>`` | counters of the devices whose id's hash is n |
| ``T#t#P#<deployment>`` | ``ROW#<device>`` | a device's row, from its first poll on |
| ``T#t#P#<deployment>#<part>`` | ``COUNTER`` | of a large deployment instead: the counters of a part |
| ``T#t#P#<deployment>#<part>`` | ``ROW#<device>`` | a row in that part |
| ``T#t#X#<hash>`` | ``ACTIVE`` | an unfinished deployment with these parameters |
| ``T#t`` | ``COUNTS`` | numbers of all and of unfinished deployments |
| ``T#t#SUMMARIES`` | ``<sequence>#<deployment>`` | a block of summaries, up to this deployment |

A part contains a range of device ids (``fleet.parts``). Index ``history``: a tenant's deployments, and a device's rows,
by sequence. Index ``state``: a tenant's open and finished deployments by sequence, and the rows of a deployment, or of
one of its parts, by status. Index ``due`` (``storage.due``): what the schedule has to check.

Only these modules have DynamoDB's expressions; what they return are records of ``rules``.
"""

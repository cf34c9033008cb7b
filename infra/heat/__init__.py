"""Which keys of DynamoDB become hot: a model of the load on each key, from recorded traffic.

DynamoDB allows one partition key 1,000 write units and 3,000 read units a second, however much capacity the table has,
and cancels a transaction that conflicts with another one on an item. ``make heat`` shows where a fleet would reach
these limits.

- :mod:`~infra.heat.traffic`: which keys each kind of call reads and writes; ``tests/heat`` records it from the server;
- :mod:`~infra.heat.scenarios`: how many calls a fleet makes a second, and when;
- :mod:`~infra.heat.model`: the load on each key;
- :mod:`~infra.heat.conflicts`: a simulation of conflicting transactions;
- :mod:`~infra.heat.page`: ``docs/heat.md``.
"""

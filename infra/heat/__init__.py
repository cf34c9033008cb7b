"""Which keys of DynamoDB become hot: a model of the load on each key, from recorded traffic.

DynamoDB gives one partition key 1,000 write units and 3,000 read units a second, whatever the table may take in all,
and cancels a transaction that meets another one on an item. ``make heat`` shows where a fleet would reach these limits.

- :mod:`~infra.heat.traffic`: what calls of each kind do to which keys; ``tests/heat`` records it from the server;
- :mod:`~infra.heat.scenarios`: how many calls a fleet makes a second, and when;
- :mod:`~infra.heat.model`: the load on each key;
- :mod:`~infra.heat.conflicts`: a simulation of transactions that meet;
- :mod:`~infra.heat.page`: ``docs/heat.md``.
"""

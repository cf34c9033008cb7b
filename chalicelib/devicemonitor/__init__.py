"""Device monitor: alerts and checks that devices report, and mails about alerts."""

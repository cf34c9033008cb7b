"""The console: the web page for operators, built from ``ui/``, and the calls that it starts with."""

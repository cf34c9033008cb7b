"""The decisions of remote access: pure functions of what they are given, free of any transport."""

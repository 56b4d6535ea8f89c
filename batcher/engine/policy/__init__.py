"""When calls may be made: pure rules. Moments and outcomes go in; permits and waits come out."""

-- KEYS[1] slot   ARGV: lease, milliseconds, token of the value that may be replaced (or '')
return take(KEYS[1], ARGV[1], ARGV[2], ARGV[3])

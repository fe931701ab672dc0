-- Fill and refresh.
-- KEYS[1] slot   ARGV: expected mark and token, milliseconds, new slot
return swap(KEYS[1], ARGV[1], ARGV[2], ARGV[3])

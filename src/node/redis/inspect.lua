-- Tells who holds the lock. Changes nothing.
-- KEYS: lock, counter.
-- Answers {holder, ms left, counter}.
return {redis.call('GET', KEYS[1]), redis.call('PTTL', KEYS[1]), redis.call('GET', KEYS[2])}

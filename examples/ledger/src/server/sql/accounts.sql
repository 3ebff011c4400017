-- The highest token that was admitted for each account, or none; what the transfers say that its balance has changed by.
SELECT name, balance, fence.token,
    coalesce((SELECT sum(amount) FROM transfers WHERE target = name), 0)::bigint
        - coalesce((SELECT sum(amount) FROM transfers WHERE source = name), 0)::bigint,
    opened_with
FROM accounts LEFT JOIN redfence_fence AS fence ON fence.resource = 'accounts/' || name
ORDER BY name

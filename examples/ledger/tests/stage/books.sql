WITH changes AS (
    SELECT number, source AS account, -amount AS amount, source_token AS token FROM transfers
    UNION ALL
    SELECT number, target, amount, target_token FROM transfers
), totals AS (
    SELECT account, sum(amount) AS amount FROM changes GROUP BY account
), ordered AS (
    SELECT token, max(token) OVER (PARTITION BY account ORDER BY number) AS highest FROM changes
)
SELECT
    (SELECT sum(balance) FROM accounts)::bigint,
    (SELECT sum(opened_with) FROM accounts)::bigint,
    (SELECT count(*) FROM transfers),
    (SELECT count(*) FROM accounts LEFT JOIN totals ON account = name
        WHERE balance <> opened_with + coalesce(totals.amount, 0)),
    (SELECT count(*) FROM ordered WHERE token < highest)

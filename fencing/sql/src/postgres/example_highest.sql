-- $1 id. Asked after an update of no row: no row here means that it is missing.
SELECT token FROM orders WHERE id = $1

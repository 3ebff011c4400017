-- $1 source, $2 target, $3 amount, $4 token of the source, $5 token of the target, $6 writer.
INSERT INTO transfers (source, target, amount, source_token, target_token, writer) VALUES ($1, $2, $3, $4, $5, $6)

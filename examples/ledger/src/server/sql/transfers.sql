SELECT count(*) FROM transfers

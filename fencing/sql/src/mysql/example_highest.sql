-- Id. Asked after an update of no row: no row here means that it is missing. FOR UPDATE reads behind the snapshot.
SELECT token FROM orders WHERE id = ? FOR UPDATE

-- The highest token of each resource. A row is never deleted and never expires.
-- VARBINARY, so that names are compared byte for byte: 'a', 'A' and 'a ' are three resources.
CREATE TABLE redfence_fence (
    resource VARBINARY(512) NOT NULL PRIMARY KEY,
    token BIGINT NOT NULL CHECK (token BETWEEN 1 AND 9007199254740991)
) ENGINE = InnoDB

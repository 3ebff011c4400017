SELECT to_regclass('accounts') IS NULL

-- A database as schema version 1 left it.
PRAGMA application_id = 1380402766;
CREATE TABLE bans (target TEXT NOT NULL PRIMARY KEY, since INTEGER NOT NULL, until INTEGER NOT NULL, jail TEXT NOT NULL,
    count INTEGER NOT NULL, attempts INTEGER NOT NULL, proof TEXT NOT NULL, times INTEGER NOT NULL,
    times_until INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE history (id INTEGER PRIMARY KEY, at INTEGER NOT NULL, address TEXT NOT NULL, target TEXT NOT NULL,
    kind TEXT NOT NULL, since INTEGER, until INTEGER, jail TEXT, count INTEGER, evidence TEXT, reason TEXT) STRICT;
INSERT INTO bans VALUES ('192.0.2.1', 1795000000000, 9223372036854775807, 'auth', 2, 5, 'answered', 2, 9223372036854775807);
INSERT INTO history VALUES (1, 1795000000000, '192.0.2.1', '192.0.2.1', 'ban', 1795000000000, 9223372036854775807,
    'auth', 2, '{"attempts":5,"proof":"answered","events":[]}', NULL);
PRAGMA user_version = 1;

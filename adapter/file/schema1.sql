-- Times are microseconds since 1970, 0 is never. Sums are CRC-32C over what a row was written with: see sum.go.

-- One row: the counters of the whole database.
CREATE TABLE counter (
	one     INTEGER PRIMARY KEY CHECK (one = 1),
	id      TEXT NOT NULL,    -- of this database
	commits INTEGER NOT NULL, -- durable commits, as in the file nvent.commits
	ticks   INTEGER NOT NULL  -- grows with every change: versions, receipts, and the order of jobs are ticks
) STRICT;
INSERT INTO counter VALUES (1, lower(hex(randomblob(16))), 0, 0);

CREATE TABLE queues (
	id        INTEGER PRIMARY KEY,
	name      TEXT NOT NULL UNIQUE,
	paused    INTEGER NOT NULL DEFAULT 0,
	waiting   INTEGER NOT NULL DEFAULT 0, -- how many jobs there are of each state
	delayed   INTEGER NOT NULL DEFAULT 0,
	active    INTEGER NOT NULL DEFAULT 0,
	completed INTEGER NOT NULL DEFAULT 0,
	failed    INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE jobs (
	n         INTEGER PRIMARY KEY, -- tick of the enqueueing
	queue     INTEGER NOT NULL,
	id        TEXT NOT NULL,
	name      TEXT NOT NULL,
	data      TEXT,                -- NULL: none, or in job_data
	headers   TEXT,                -- JSON, as are labels and options
	labels    TEXT,
	options   TEXT,                -- what else the job was enqueued with
	priority  INTEGER NOT NULL,
	created   INTEGER NOT NULL,
	sum       INTEGER NOT NULL,
	state     INTEGER NOT NULL,    -- 0 waiting, 1 delayed, 2 active, 3 completed, 4 failed
	place     INTEGER NOT NULL,    -- tick that decides about its turn among the waiting
	due       INTEGER NOT NULL,    -- delayed: when it may run; active: end of the lease; completed, failed: when it is removed
	receipt   INTEGER NOT NULL DEFAULT 0,
	attempt   INTEGER NOT NULL DEFAULT 0,
	delivery  INTEGER NOT NULL DEFAULT 0,
	lost      INTEGER NOT NULL DEFAULT 0, -- leases
	started   INTEGER NOT NULL DEFAULT 0,
	finished  INTEGER NOT NULL DEFAULT 0,
	extras    INTEGER NOT NULL,    -- what there is beside the row: 1 in job_data, 2 in job_labels, 4 in job_log
	consumer  TEXT,                -- who had it last
	result    TEXT,
	error     TEXT,
	progress  TEXT
) STRICT;
CREATE UNIQUE INDEX jobs_id ON jobs (queue, id);
CREATE INDEX jobs_waiting ON jobs (queue, priority DESC, place) WHERE state = 0;
CREATE INDEX jobs_due ON jobs (queue, state, due) WHERE state > 0;
CREATE INDEX jobs_failed ON jobs (queue, n) WHERE state = 4;

-- The data of jobs that have much of it, so that a change of state need not write it again.
CREATE TABLE job_data (n INTEGER PRIMARY KEY, data TEXT NOT NULL) STRICT;

CREATE TABLE job_labels (
	n     INTEGER NOT NULL,
	label TEXT NOT NULL,
	queue INTEGER NOT NULL,
	value TEXT NOT NULL,
	PRIMARY KEY (n, label)
) STRICT, WITHOUT ROWID;
CREATE INDEX job_labels_found ON job_labels (queue, label, value, n);

CREATE TABLE job_log (
	n    INTEGER NOT NULL,
	line INTEGER NOT NULL, -- 0, 1, 2, ...
	text TEXT NOT NULL,
	PRIMARY KEY (n, line)
) STRICT, WITHOUT ROWID;

-- Deliveries whose job was cancelled while they ran; their consumers look here.
CREATE TABLE canceled (receipt INTEGER PRIMARY KEY, at INTEGER NOT NULL) STRICT;

CREATE TABLE collections (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;

CREATE TABLE docs (
	collection INTEGER NOT NULL,
	id         TEXT NOT NULL,
	version    INTEGER NOT NULL,
	body       TEXT NOT NULL,
	expires    INTEGER NOT NULL, -- as the document itself was written
	gone       INTEGER NOT NULL, -- the earlier of that and the expiry of its partition
	sum        INTEGER NOT NULL,
	PRIMARY KEY (collection, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX docs_gone ON docs (gone) WHERE gone > 0;

-- What documents are found by. spec is the declared index as JSON.
CREATE TABLE indexes (id INTEGER PRIMARY KEY, collection INTEGER NOT NULL, spec TEXT NOT NULL, UNIQUE (collection, spec)) STRICT;

-- key is made of the index, the values of its fields and the document's id, so that it sorts as they do: see key.go.
CREATE TABLE postings (key BLOB PRIMARY KEY, id TEXT NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE partitions (
	name      TEXT PRIMARY KEY,
	docs_gone INTEGER NOT NULL,
	logs_gone INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX partitions_docs ON partitions (docs_gone) WHERE docs_gone > 0;
CREATE INDEX partitions_logs ON partitions (logs_gone) WHERE logs_gone > 0;

CREATE TABLE logs (
	subject TEXT PRIMARY KEY,
	id      INTEGER NOT NULL, -- of the log in records
	first   INTEGER NOT NULL, -- the first seq that is kept
	last    INTEGER NOT NULL, -- the seq that was given last
	dropped INTEGER NOT NULL  -- 1: and nothing was appended since
) STRICT, WITHOUT ROWID;

CREATE TABLE records (
	log       INTEGER NOT NULL,
	seq       INTEGER NOT NULL,
	at        INTEGER NOT NULL,
	type      TEXT NOT NULL,
	flow      TEXT NOT NULL,
	step      TEXT NOT NULL,
	epoch     INTEGER NOT NULL,
	scope     TEXT NOT NULL,
	iteration INTEGER NOT NULL,
	attempt   INTEGER NOT NULL,
	key       TEXT NOT NULL,
	causes    TEXT,          -- JSON array of seqs
	data      TEXT,
	sum       INTEGER NOT NULL,
	PRIMARY KEY (log, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE keys (
	key   TEXT PRIMARY KEY,
	value TEXT NOT NULL,
	gone  INTEGER NOT NULL,
	sum   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX keys_gone ON keys (gone) WHERE gone > 0;

CREATE TABLE topics (
	id    INTEGER PRIMARY KEY,
	name  TEXT NOT NULL UNIQUE,
	first INTEGER NOT NULL, -- number of the first message that is kept
	next  INTEGER NOT NULL  -- number of the next message
) STRICT;

CREATE TABLE messages (
	topic   INTEGER NOT NULL,
	n       INTEGER NOT NULL,
	at      INTEGER NOT NULL,
	key     TEXT NOT NULL,
	data    TEXT,
	headers TEXT,
	labels  TEXT,
	sum     INTEGER NOT NULL,
	PRIMARY KEY (topic, n)
) STRICT, WITHOUT ROWID;

CREATE TABLE groups (
	id        INTEGER PRIMARY KEY,
	topic     INTEGER NOT NULL,
	name      TEXT NOT NULL,
	next      INTEGER NOT NULL, -- number of the next message to give out
	ephemeral INTEGER NOT NULL,
	UNIQUE (topic, name)
) STRICT;

-- Subscriptions in place, of all processes.
CREATE TABLE members (
	id    INTEGER PRIMARY KEY, -- a tick: the lowest one of a group is its exclusive member
	topic INTEGER NOT NULL,
	grp   INTEGER NOT NULL,    -- 0: none
	next  INTEGER NOT NULL,    -- of a subscription without a group: messages from here on are kept for it
	until INTEGER NOT NULL     -- its process was alive then, or it is not in place any more
) STRICT;
CREATE INDEX members_topic ON members (topic, grp, id);

-- Messages that a group has been given and has not acknowledged.
CREATE TABLE claims (
	grp      INTEGER NOT NULL,
	n        INTEGER NOT NULL,
	member   INTEGER NOT NULL, -- 0: waits to be given out again
	delivery INTEGER NOT NULL,
	PRIMARY KEY (grp, n)
) STRICT, WITHOUT ROWID;
CREATE INDEX claims_member ON claims (member, grp, n);

-- For people: SELECT * FROM job_list WHERE queue = 'email' ORDER BY created DESC LIMIT 20;
CREATE VIEW job_list AS
SELECT q.name AS queue, j.id, j.name,
	CASE j.state WHEN 0 THEN 'waiting' WHEN 1 THEN 'delayed' WHEN 2 THEN 'active' WHEN 3 THEN 'completed' ELSE 'failed' END AS state,
	j.attempt, j.delivery, j.priority, strftime('%Y-%m-%d %H:%M:%f', j.created / 1e6, 'unixepoch') AS created,
	CASE WHEN j.due > 0 THEN strftime('%Y-%m-%d %H:%M:%f', j.due / 1e6, 'unixepoch') END AS due,
	coalesce(j.data, d.data) AS data, j.result, j.error
FROM jobs j JOIN queues q ON q.id = j.queue LEFT JOIN job_data d ON d.n = j.n;

CREATE VIEW doc_list AS
SELECT c.name AS collection, d.id, d.version, d.body,
	CASE WHEN d.gone > 0 THEN strftime('%Y-%m-%d %H:%M:%f', d.gone / 1e6, 'unixepoch') END AS gone
FROM docs d JOIN collections c ON c.id = d.collection;

-- A run's log: SELECT * FROM log_list WHERE subject = '<run id>' ORDER BY seq;
CREATE VIEW log_list AS
SELECT l.subject, r.seq, strftime('%Y-%m-%d %H:%M:%f', r.at / 1e6, 'unixepoch') AS at, r.type, r.flow, r.step, r.epoch, r.scope,
	r.iteration, r.attempt, r.key, r.causes, r.data
FROM logs l JOIN records r ON r.log = l.id;

CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL,
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
CREATE TABLE blobs (
	sha256 VARCHAR(64) NOT NULL,
	size BIGINT NOT NULL,
	stored DATETIME NOT NULL,
	PRIMARY KEY (sha256),
	CONSTRAINT blob_sha256 CHECK (length(sha256) = 64)
);
CREATE TABLE runs (
	id INTEGER NOT NULL,
	state VARCHAR(16) NOT NULL,
	config TEXT NOT NULL,
	synthetic BOOLEAN NOT NULL,
	created DATETIME NOT NULL,
	decided DATETIME,
	finished DATETIME,
	results_path TEXT NOT NULL, paused DATETIME, paused_by TEXT DEFAULT '' NOT NULL, paused_reason TEXT DEFAULT '' NOT NULL, pause_gives_back BOOLEAN DEFAULT 0 NOT NULL, ended_early DATETIME, ended_early_by TEXT DEFAULT '' NOT NULL, ended_early_reason TEXT DEFAULT '' NOT NULL, report_path TEXT DEFAULT '' NOT NULL, retrain BOOLEAN DEFAULT 0 NOT NULL,
	PRIMARY KEY (id),
	CONSTRAINT run_finished CHECK ((state = 'running') = (finished IS NULL)),
	CONSTRAINT run_state CHECK (state IN ('running', 'done', 'cancelled'))
);
CREATE UNIQUE INDEX one_running_run ON runs (state) WHERE state = 'running';
CREATE TABLE trainers (
	boot_id VARCHAR(64) NOT NULL,
	name VARCHAR(200) NOT NULL,
	host VARCHAR(200) NOT NULL,
	limit_kind VARCHAR(16) NOT NULL,
	memory_limit_bytes BIGINT NOT NULL,
	version VARCHAR(64) NOT NULL,
	registered DATETIME NOT NULL,
	last_seen DATETIME NOT NULL,
	superseded DATETIME,
	memory_total_bytes BIGINT NOT NULL,
	memory_available_bytes BIGINT NOT NULL,
	cpu_ratio FLOAT NOT NULL,
	note TEXT NOT NULL, disk_folder TEXT DEFAULT '' NOT NULL, disk_free_bytes BIGINT, disk_problem TEXT DEFAULT '' NOT NULL, blocked_since DATETIME, paused_until DATETIME, paused_by TEXT DEFAULT '' NOT NULL, load TEXT, load_seen DATETIME,
	PRIMARY KEY (boot_id),
	CONSTRAINT trainer_limit_kind CHECK (limit_kind IN ('cgroup', 'agent'))
);
CREATE UNIQUE INDEX one_process_a_trainer ON trainers (name) WHERE superseded IS NULL;
CREATE TABLE jobs (
	id INTEGER NOT NULL,
	run_id INTEGER NOT NULL,
	ordinal INTEGER NOT NULL,
	kind VARCHAR(16) NOT NULL,
	symbol VARCHAR(30) NOT NULL,
	timeframe VARCHAR(8),
	horizon INTEGER,
	state VARCHAR(16) NOT NULL,
	cause VARCHAR(16),
	message TEXT NOT NULL,
	rows INTEGER,
	waiting_since DATETIME,
	not_before DATETIME,
	oom_room_bytes BIGINT,
	created DATETIME NOT NULL,
	started DATETIME,
	finished DATETIME,
	changed DATETIME NOT NULL,
	auc FLOAT,
	p_value FLOAT,
	promoted BOOLEAN,
	spec TEXT,
	scores TEXT,
	reasons TEXT NOT NULL, refused_by TEXT DEFAULT '[]' NOT NULL, forgiven INTEGER DEFAULT '0' NOT NULL, wanted_next DATETIME, volume FLOAT DEFAULT '0' NOT NULL, revision BIGINT DEFAULT '0' NOT NULL, program VARCHAR(64) DEFAULT '' NOT NULL, reused_from INTEGER, reused_run INTEGER, again TEXT DEFAULT '' NOT NULL,
	PRIMARY KEY (id),
	CONSTRAINT job_cell CHECK ((kind = 'training') = (timeframe IS NOT NULL AND horizon IS NOT NULL)),
	CONSTRAINT job_finished CHECK ((state IN ('queued', 'leased')) = (finished IS NULL)),
	CONSTRAINT job_cause CHECK (cause IS NULL OR cause IN ('error', 'crash', 'timeout', 'oom', 'data', 'stopped', 'night_closed', 'cancelled')),
	CONSTRAINT job_kind CHECK (kind IN ('survey', 'training')),
	CONSTRAINT job_promoted CHECK (promoted IS NULL OR state = 'succeeded'),
	CONSTRAINT job_failure_has_cause CHECK (state != 'failed' OR cause IS NOT NULL),
	CONSTRAINT job_leased_has_spec CHECK (state != 'leased' OR spec IS NOT NULL),
	CONSTRAINT job_state CHECK (state IN ('queued', 'leased', 'succeeded', 'failed', 'cancelled')),
	FOREIGN KEY(run_id) REFERENCES runs (id)
);
CREATE INDEX jobs_by_state ON jobs (run_id, state);
CREATE UNIQUE INDEX one_survey_a_symbol ON jobs (run_id, symbol) WHERE kind = 'survey';
CREATE UNIQUE INDEX one_training_a_cell ON jobs (run_id, symbol, timeframe, horizon) WHERE kind = 'training';
CREATE TABLE symbols (
	run_id INTEGER NOT NULL,
	symbol VARCHAR(30) NOT NULL,
	quote_volume FLOAT NOT NULL,
	failing TEXT NOT NULL,
	parked_until DATETIME,
	PRIMARY KEY (run_id, symbol),
	FOREIGN KEY(run_id) REFERENCES runs (id)
);
CREATE TABLE checkpoints (
	job_id INTEGER NOT NULL,
	folds INTEGER NOT NULL,
	saved DATETIME NOT NULL,
	document TEXT NOT NULL,
	PRIMARY KEY (job_id),
	FOREIGN KEY(job_id) REFERENCES jobs (id)
);
CREATE TABLE manifests (
	job_id INTEGER NOT NULL,
	sha256 VARCHAR(64) NOT NULL,
	certified BOOLEAN NOT NULL,
	comparison TEXT,
	document TEXT NOT NULL,
	PRIMARY KEY (job_id),
	FOREIGN KEY(job_id) REFERENCES jobs (id),
	FOREIGN KEY(sha256) REFERENCES blobs (sha256)
);
CREATE TABLE promotions (
	id INTEGER NOT NULL,
	run_id INTEGER NOT NULL,
	job_id INTEGER NOT NULL,
	symbol VARCHAR(30) NOT NULL,
	timeframe VARCHAR(8) NOT NULL,
	horizon INTEGER NOT NULL,
	decided DATETIME NOT NULL,
	promoted BOOLEAN NOT NULL,
	synthetic BOOLEAN NOT NULL,
	sha256 VARCHAR(64) NOT NULL,
	predecessor INTEGER,
	reasons TEXT NOT NULL,
	PRIMARY KEY (id),
	CONSTRAINT promotion_reasons CHECK (promoted = (reasons = '[]')),
	FOREIGN KEY(job_id) REFERENCES jobs (id),
	FOREIGN KEY(predecessor) REFERENCES promotions (id),
	FOREIGN KEY(run_id) REFERENCES runs (id),
	FOREIGN KEY(sha256) REFERENCES blobs (sha256),
	UNIQUE (job_id)
);
CREATE INDEX promotions_by_cell ON promotions (symbol, timeframe, horizon, id);
CREATE TABLE reports (
	job_id INTEGER NOT NULL,
	document TEXT NOT NULL,
	PRIMARY KEY (job_id),
	FOREIGN KEY(job_id) REFERENCES jobs (id)
);
CREATE TRIGGER promotions_refuse_update BEFORE UPDATE ON promotions BEGIN SELECT RAISE(ABORT, 'the history of promotions is only ever appended to'); END;
CREATE TRIGGER promotions_refuse_delete BEFORE DELETE ON promotions BEGIN SELECT RAISE(ABORT, 'the history of promotions is only ever appended to'); END;
CREATE TABLE alerts (
	id INTEGER NOT NULL,
	fingerprint VARCHAR(64) NOT NULL,
	name TEXT NOT NULL,
	severity TEXT NOT NULL,
	labels TEXT NOT NULL,
	summary TEXT NOT NULL,
	description TEXT NOT NULL,
	runbook TEXT NOT NULL,
	starts DATETIME NOT NULL,
	ends DATETIME,
	received DATETIME NOT NULL,
	PRIMARY KEY (id),
	CONSTRAINT alert_start UNIQUE (fingerprint, starts)
);
CREATE UNIQUE INDEX one_firing_alert ON alerts (fingerprint) WHERE ends IS NULL;
CREATE INDEX alerts_by_end ON alerts (ends);
CREATE TABLE "attempts" (
	id INTEGER NOT NULL,
	job_id INTEGER NOT NULL,
	number INTEGER NOT NULL,
	lease_id VARCHAR(64) NOT NULL,
	boot_id VARCHAR(64) NOT NULL,
	trainer VARCHAR(200) NOT NULL,
	host VARCHAR(200) NOT NULL,
	alone BOOLEAN NOT NULL,
	memory_limit_bytes BIGINT NOT NULL,
	deadline_seconds FLOAT NOT NULL,
	started DATETIME NOT NULL,
	renewed DATETIME NOT NULL,
	expires DATETIME NOT NULL,
	progress TEXT,
	artifact_sha256 VARCHAR(64),
	outcome VARCHAR(16) NOT NULL,
	cause VARCHAR(16),
	charged BOOLEAN NOT NULL,
	message TEXT NOT NULL,
	evidence TEXT NOT NULL,
	retry_in_seconds FLOAT,
	ended DATETIME,
	seconds FLOAT,
	peak_memory_bytes BIGINT,
	resumed_folds INTEGER,
	PRIMARY KEY (id),
	CONSTRAINT attempt_ended CHECK ((outcome = 'running') = (ended IS NULL)),
	CONSTRAINT attempt_failure_has_cause CHECK ((outcome IN ('running', 'succeeded')) = (cause IS NULL)),
	CONSTRAINT attempt_cause CHECK (cause IS NULL OR cause IN ('error', 'crash', 'timeout', 'oom', 'data', 'storage', 'stopped', 'night_closed', 'cancelled')),
	CONSTRAINT attempt_outcome CHECK (outcome IN ('running', 'succeeded', 'failed', 'released', 'expired', 'cancelled')),
	FOREIGN KEY(artifact_sha256) REFERENCES blobs (sha256),
	FOREIGN KEY(boot_id) REFERENCES trainers (boot_id),
	FOREIGN KEY(job_id) REFERENCES jobs (id),
	CONSTRAINT attempt_number UNIQUE (job_id, number),
	UNIQUE (lease_id)
);
CREATE UNIQUE INDEX one_live_lease_a_trainer ON attempts (boot_id) WHERE ended IS NULL;
CREATE UNIQUE INDEX one_open_attempt_a_job ON attempts (job_id) WHERE ended IS NULL;
CREATE INDEX attempts_by_trainer ON attempts (boot_id, id);
CREATE TABLE lives (
	id INTEGER NOT NULL,
	began DATETIME NOT NULL,
	seen DATETIME NOT NULL,
	stopped DATETIME, store VARCHAR(64) DEFAULT '' NOT NULL, instance VARCHAR(64) DEFAULT '' NOT NULL, place TEXT DEFAULT '' NOT NULL,
	PRIMARY KEY (id)
);
CREATE TABLE audit (
	id INTEGER NOT NULL,
	time DATETIME NOT NULL,
	"by" TEXT NOT NULL,
	origin TEXT NOT NULL,
	action VARCHAR(16) NOT NULL,
	run_id INTEGER,
	job_id INTEGER,
	jobs INTEGER NOT NULL,
	folds_saved INTEGER NOT NULL,
	words TEXT NOT NULL,
	reason TEXT NOT NULL,
	"key" VARCHAR(100),
	PRIMARY KEY (id),
	FOREIGN KEY(run_id) REFERENCES runs (id),
	FOREIGN KEY(job_id) REFERENCES jobs (id),
	UNIQUE ("key")
);
CREATE INDEX audit_by_run ON audit (run_id, id);
CREATE TRIGGER audit_refuse_update BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'what operators have done is only appended to'); END;
CREATE TRIGGER audit_refuse_delete BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'what operators have done is only appended to'); END;
CREATE TABLE champion_changes (
	id INTEGER NOT NULL,
	time DATETIME NOT NULL,
	symbol VARCHAR(30) NOT NULL,
	timeframe VARCHAR(8) NOT NULL,
	horizon INTEGER NOT NULL,
	action VARCHAR(16) NOT NULL,
	job_id INTEGER,
	former_job_id INTEGER,
	run_id INTEGER,
	"by" TEXT NOT NULL,
	reason TEXT NOT NULL,
	PRIMARY KEY (id),
	FOREIGN KEY(job_id) REFERENCES jobs (id),
	FOREIGN KEY(former_job_id) REFERENCES jobs (id),
	FOREIGN KEY(run_id) REFERENCES runs (id),
	CONSTRAINT champion_change_action CHECK (action IN ('promoted', 'replaced', 'demoted', 'expired')),
	CONSTRAINT champion_change_model CHECK ((action IN ('promoted', 'replaced')) = (job_id IS NOT NULL)),
	CONSTRAINT champion_change_former CHECK ((action = 'promoted') = (former_job_id IS NULL)),
	CONSTRAINT champion_change_reason CHECK (reason != '')
);
CREATE INDEX champion_changes_by_cell ON champion_changes (symbol, timeframe, horizon, id);
CREATE INDEX champion_changes_by_run ON champion_changes (run_id);
CREATE TABLE champion_tests (
	run_id INTEGER NOT NULL,
	symbol VARCHAR(30) NOT NULL,
	timeframe VARCHAR(8) NOT NULL,
	horizon INTEGER NOT NULL,
	job_id INTEGER NOT NULL,
	document TEXT NOT NULL,
	PRIMARY KEY (run_id, symbol, timeframe, horizon),
	FOREIGN KEY(run_id) REFERENCES runs (id),
	FOREIGN KEY(job_id) REFERENCES jobs (id)
);
CREATE TRIGGER champion_changes_refuse_update BEFORE UPDATE ON champion_changes BEGIN SELECT RAISE(ABORT, 'the history of champions is only appended to'); END;
CREATE TRIGGER champion_changes_refuse_delete BEFORE DELETE ON champion_changes BEGIN SELECT RAISE(ABORT, 'the history of champions is only appended to'); END;
CREATE TRIGGER champion_tests_refuse_update BEFORE UPDATE ON champion_tests BEGIN SELECT RAISE(ABORT, 'the history of champions is only appended to'); END;
CREATE TRIGGER champion_tests_refuse_delete BEFORE DELETE ON champion_tests BEGIN SELECT RAISE(ABORT, 'the history of champions is only appended to'); END;
CREATE TABLE digests (
	run_id INTEGER NOT NULL,
	ended DATETIME NOT NULL,
	until DATETIME NOT NULL,
	closed DATETIME,
	problem TEXT NOT NULL,
	PRIMARY KEY (run_id),
	FOREIGN KEY(run_id) REFERENCES runs (id)
);
CREATE INDEX queued_by_volume ON jobs (run_id, kind, volume, timeframe, rows, ordinal) WHERE state = 'queued' AND waiting_since IS NOT NULL;
CREATE INDEX queued_by_wait ON jobs (run_id, waiting_since) WHERE state = 'queued' AND waiting_since IS NOT NULL;
CREATE INDEX queued_unsurveyed ON jobs (run_id, kind, volume, timeframe, rows, ordinal) WHERE state = 'queued' AND waiting_since IS NULL;
CREATE INDEX queued_wanted ON jobs (run_id, wanted_next) WHERE state = 'queued' AND wanted_next IS NOT NULL;
CREATE INDEX queued_for_later ON jobs (run_id, not_before) WHERE state = 'queued' AND not_before IS NOT NULL;
CREATE INDEX queued_after_oom ON jobs (run_id) WHERE state = 'queued' AND oom_room_bytes IS NOT NULL;
CREATE INDEX jobs_by_cell ON jobs (symbol, timeframe, horizon, id);
CREATE INDEX parked_symbols ON symbols (run_id) WHERE parked_until IS NOT NULL;
CREATE TABLE measurements (
	attempt_id INTEGER NOT NULL,
	timeframe VARCHAR(8) NOT NULL,
	rows INTEGER NOT NULL,
	seconds FLOAT NOT NULL,
	peak_memory_bytes BIGINT NOT NULL,
	PRIMARY KEY (attempt_id),
	FOREIGN KEY(attempt_id) REFERENCES attempts (id)
);
CREATE TABLE hosts (
	name VARCHAR(200) NOT NULL,
	trainers INTEGER NOT NULL,
	changed DATETIME NOT NULL,
	reason TEXT NOT NULL,
	looked DATETIME NOT NULL,
	enough FLOAT,
	idle_cores FLOAT,
	cut DATETIME,
	raised BOOLEAN NOT NULL,
	rest FLOAT NOT NULL,
	PRIMARY KEY (name),
	CONSTRAINT host_trainers CHECK (trainers >= 1)
);
CREATE INDEX jobs_by_symbol ON jobs (run_id, symbol, state);
CREATE INDEX jobs_by_revision ON jobs (run_id, revision);
CREATE INDEX attempts_by_outcome ON attempts (boot_id, outcome);
CREATE TRIGGER jobs_revise AFTER UPDATE ON jobs WHEN NEW.revision = OLD.revision BEGIN UPDATE jobs SET revision = 1 + (SELECT max(revision) FROM jobs WHERE run_id = NEW.run_id) WHERE id = NEW.id; END;
CREATE TABLE leadership (
	term BIGINT NOT NULL,
	sole BOOLEAN NOT NULL,
	holder VARCHAR(64) NOT NULL,
	store VARCHAR(64) NOT NULL,
	instance VARCHAR(64) NOT NULL,
	expires DATETIME NOT NULL,
	PRIMARY KEY (term),
	CONSTRAINT leadership_sole CHECK (sole),
	UNIQUE (sole)
);
INSERT INTO alembic_version (version_num) VALUES ('0019');
INSERT INTO leadership (term, sole, holder, store, instance, expires) VALUES (0, 1, '', '', '', '1970-01-01 00:00:00.000000');

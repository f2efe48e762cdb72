-- By which key an attempt asked for a side effect: a keyed hash of its number and the request's Idempotency-Key. The
-- same request sent again, after its gateway died, finds the call by it, and can never begin a second one.
ALTER TABLE calls ADD COLUMN request_key BYTEA;
CREATE UNIQUE INDEX calls_by_request_key ON calls (tenant_id, run_id, request_key) WHERE request_key IS NOT NULL;

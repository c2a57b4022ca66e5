-- The idempotency keys of the calls that made something: the call again makes no second one.
alter table webhook_endpoint add column request_key text;
create unique index webhook_endpoint_request_key_key on webhook_endpoint (request_key);
alter table mail_source add column request_key text;
create unique index mail_source_request_key_key on mail_source (request_key);
alter table scoring_model add column request_key text;
create unique index scoring_model_request_key_key on scoring_model (request_key);

-- The idempotency key of the rollback by which a version came to be live again: the call again does not go forth again.
alter table scored_model add column rollback_key text;

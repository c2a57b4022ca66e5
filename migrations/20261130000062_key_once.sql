-- The idempotency key of the call that made a key: the call again makes no second one.
alter table api_key add column request_key text;
create unique index api_key_request_key_key on api_key (request_key);

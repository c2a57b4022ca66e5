-- Of a refused item its first 2 KiB are kept.
update rejected_events set body = substring(body for 2048) where length(body) > 2048;
update rejected_events set detail = left(detail, 500) where length(detail) > 500;
comment on column rejected_events.body is 'The first 2 KiB; a byte that is no UTF-8 as U+10FFFF.';

-- The types of events that the log has held, so that nobody has to read the log for them. Of a log with very many types
-- only some are here: see models::MOST_TYPES.
create table event_type (
    type text not null,
    constraint event_type_pkey primary key (type)
);

insert into event_type (type) select distinct type from event limit 2000;

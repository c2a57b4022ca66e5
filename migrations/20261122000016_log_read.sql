-- The states of many leads are made in one reading of the log: how much of it has been read, 0 to 1.
alter table scored_model add column log_read real not null default 0;

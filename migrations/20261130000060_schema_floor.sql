-- The oldest version of the program that may run on this schema, named by the newest migration that it brings. A migration
-- with which an older program could not work (a column that goes, a meaning that changes) raises it to its own number:
-- update schema_floor set migration = ...
create table schema_floor (
    only_row boolean not null default true,
    migration bigint not null,
    constraint schema_floor_pkey primary key (only_row),
    constraint schema_floor_only_row check (only_row)
);

insert into schema_floor (migration) values (20261130000060);

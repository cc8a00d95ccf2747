-- A line costs one row. What makes sending it again safe was a second one, and 64 rows of each run lay
-- on a page of their own, which a commit of fifty people's lines wrote fifty times.

-- The entry that holds the line of the same run before this one; null for the first of a run, for
-- lines without a RUN-N, and for what is no line.
alter table history add column prev integer;

-- The rows of the last version, whose lines are linked below. As many steps as it has rows; but SQLite
-- looks through history once, because it checks a table that gets a column.
alter table senders rename to senders_of_1;

-- What makes sending a line again safe: of each run of a client, where its newest line is. The lines
-- before it are found by history.prev.
create table senders (
    first integer primary key, -- the entry that holds the run's first line, so that those who talk now lie together
    id text not null, -- whose lines
    run text not null, -- which start of the client
    last integer not null, -- the entry that holds its newest line
    n integer not null -- the number of that line within the run, which is known also when the entry was deleted
) strict;

create unique index senders_by_run on senders (id, run);

insert into senders (first, id, run, last, n)
select min(seq), id, run, max(seq), max(n) from senders_of_1 group by id, run order by 1;

update history set prev = linked.prev
from (
    select seq, lag(seq) over (partition by id, run order by n) as prev from senders_of_1
) as linked
where history.seq = linked.seq and linked.prev is not null;

drop table senders_of_1;

update meta set value = '2' where key = 'schema';

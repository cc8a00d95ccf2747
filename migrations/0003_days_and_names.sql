-- joins.reason has one more word: on-hold, for a certificate that is revoked for a while.

-- A day is what the calendar of the machine that asks calls it, at each moment of a session. The view went on from
-- one local midnight to the next instead, and was wrong where one does not exist, or exists twice.

-- A room of student numbers says little to the people in it. Full names come from certificates, beside the IDs.

alter table joins add column name text; -- the full name in the certificate; null if it has none. It identifies nobody

drop view attendance;

-- Who was here on which day, by the calendar of the machine that asks. Sessions that overlap count
-- once; one that lasts past midnight counts on both days; one that is still open counts up to the
-- last moment at which the server is known to have run.
create view attendance as
with recursive
spans (session, id, start, stop) as (
    select
        session,
        id,
        joined_at,
        max(joined_at, coalesce(left_at, (select value from meta where key = 'alive_at')))
    from joins
),
-- The second in which each session began, and the one by whose beginning it was over, since 1970.
seconds (session, low, high) as (
    select
        session,
        cast(strftime('%s', start) as integer),
        cast(strftime('%s', stop) as integer) + (substr(stop, 21, 3) <> '000')
    from spans
),
-- Each session halved until the parts in which clocks are changed last a second. No zone changes its clocks and
-- changes them back within a week; so a part of that length with the same offset from UTC at both ends has no change.
parts (session, low, high) as (
    select session, low, high from seconds
    union all
    select
        session,
        iif(side = 'first', low, (low + high) / 2),
        iif(side = 'first', (low + high) / 2, high)
    from parts
    join (select 'first' as side union all select 'second')
    where
        high - low > 1
        and (
            high - low > 604800
            or strftime('%s', low, 'unixepoch', 'localtime') - low
            <> strftime('%s', high, 'unixepoch', 'localtime') - high
        )
),
-- Between two changes the local clock runs evenly; `shift` is what it is ahead of UTC, in seconds.
even (session, low, high, shift) as (
    select
        session,
        low,
        lead(low, 1, over_by) over (partition by session order by low),
        strftime('%s', low, 'unixepoch', 'localtime') - low
    from (
        select session, low, high as over_by from seconds
        union all
        select parts.session, parts.high, seconds.high
        from parts
        join seconds using (session)
        where
            parts.high - parts.low = 1
            and parts.high < seconds.high
            and strftime('%s', parts.low, 'unixepoch', 'localtime') - parts.low
            <> strftime('%s', parts.high, 'unixepoch', 'localtime') - parts.high
    )
),
-- Cut at each local midnight.
days (session, low, high, shift, over_by) as (
    select session, low, min(high, low + 86400 - (low + shift) % 86400), shift, high from even
    union all
    select session, high, min(over_by, high + 86400), shift, over_by from days where high < over_by
),
pieces (session, id, day, start, stop) as (
    select
        session,
        id,
        date(low, 'unixepoch', 'localtime'),
        max(start, strftime('%Y-%m-%dT%H:%M:%S.000Z', low, 'unixepoch')),
        min(stop, strftime('%Y-%m-%dT%H:%M:%S.000Z', high, 'unixepoch'))
    from days
    join spans using (session)
),
marked as (
    select
        *,
        coalesce(
            start > max(stop) over (
                partition by id, day order by start, stop
                rows between unbounded preceding and 1 preceding
            ),
            1
        ) as opens
    from pieces
),
islands as (
    select *, sum(opens) over (partition by id, day order by start, stop, session) as island
    from marked
),
presence (id, day, first_in, last_out, minutes) as (
    select id, day, min(start), max(stop), sum(length)
    from (
        select
            id,
            day,
            min(start) as start,
            max(stop) as stop,
            (julianday(max(stop)) - julianday(min(start))) * 1440 as length
        from islands
        group by id, day, island
    )
    group by id, day
),
counted (id, day, sessions) as (
    select id, day, count(distinct session) from pieces group by id, day
),
said (id, day, lines) as (
    select id, date(at, 'localtime'), count(*) from history where kind = 'message' group by 1, 2
),
-- With `max` alone, SQLite takes the other columns from the row that has it.
named (id, name, session) as (
    select id, name, max(session) from joins group by id
)
select
    presence.id as id,
    presence.day as day, -- the local day
    presence.first_in as first_in, -- UTC
    presence.last_out as last_out, -- UTC
    round(presence.minutes, 1) as minutes,
    counted.sessions as sessions,
    coalesce(said.lines, 0) as lines,
    named.name as name -- the full name, by the certificate of the newest session
from presence
join counted using (id, day)
left join said using (id, day)
left join named using (id);

update meta set value = '3' where key = 'schema';

-- The record of a room. This is a public interface: people open the file with sqlite3 and ask.
-- Times are UTC text of 24 characters, `2026-11-21T10:00:00.123Z`; order is by seq only.

-- What the database knows about itself.
create table meta (
    key text primary key, -- schema, epoch, head, alive_at, crl_number
    value text not null
) strict, without rowid;

insert into meta (key, value) values
    ('schema', '1'), -- the version of these tables and views
    ('epoch', lower(hex(randomblob(8)))), -- tells this database from any other
    ('head', '0'), -- the newest seq ever given, so that pruning never lets one return
    ('alive_at', '1970-01-01T00:00:00.000Z'), -- the last moment at which the server is known to have run
    ('crl_number', '00'); -- the highest revocation list ever seen, so that an older one is noticed

-- One row per session: who was connected, from where, and how.
create table joins (
    session integer primary key, -- 1, 2, 3, ...; named by history.session
    id text not null, -- the CN of the certificate
    role text not null, -- its OU
    ip text not null, -- the address of the client, as the server saw it
    port integer not null, -- the client's port, to match a firewall's log
    local_ip text not null, -- the server's own address on this connection
    prefix integer, -- the length of that address's network prefix, in bits
    interface text, -- the network interface that has the address
    interface_index integer, -- its number
    serial text not null, -- the certificate, by its number under the CA
    fingerprint text not null, -- the certificate, by its SHA-256
    tls text not null, -- the TLS version
    cipher text not null, -- the cipher suite
    key_exchange text, -- the key exchange group
    client text, -- the dialect that the client named; null for any TLS tool
    joined_at text not null, -- when the session began
    left_at text, -- when it ended; null while it lasts
    reason text, -- why it ended: goodbye, lost, stalled, silent, flooding, replaced, revoked, expired, shutting-down, server-crash
    leave_seq integer -- the leave that ended this person's presence; null while the person counts as here
) strict;

create index joins_by_id on joins (id, session);
create index joins_open on joins (session) where left_at is null;
create index joins_here on joins (id) where leave_seq is null;

-- One row per entry of the transcript.
create table history (
    seq integer primary key, -- 1, 2, 3, ... without gaps, never reused
    at text not null, -- when it was recorded
    kind text not null check (kind in ('message', 'enter', 'leave')), -- what it is
    id text not null, -- whose it is, from the certificate
    ip text not null, -- where that person was connected from
    text text not null, -- what was said, to the byte; of a leave, why; of an enter, nothing
    session integer not null, -- the session it belongs to, in joins
    nonce text -- the RUN-N that the client gave the line; not indexed, which would cost most of the insert rate
) strict;

-- What makes sending a line again safe: of each run of a client, the last 64 lines.
create table senders (
    id text not null, -- whose lines
    run text not null, -- which start of the client
    slot integer not null, -- 0 to 63, taken in turn, so that only the last 64 lines of a run are kept
    n integer not null, -- the number of the line within the run
    seq integer not null, -- the entry that holds it
    hash integer not null, -- the first 8 bytes of the SHA-256 of its text
    primary key (id, run, slot)
) strict, without rowid;

-- The transcript as people read it.
create view transcript as
select
    seq,
    at,
    case kind
        when 'message' then '[' || id || '@' || ip || '] ' || text
        when 'enter' then '* ' || id || '@' || ip || ' entered'
        else '* ' || id || '@' || ip || ' left (' || text || ')'
    end as line
from history;

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
days (session, id, day, start, stop) as (
    select session, id, date(start, 'localtime'), start, stop from spans
    union all
    select session, id, date(day, '+1 day'), start, stop
    from days
    where strftime('%Y-%m-%dT%H:%M:%fZ', day, '+1 day', 'utc') < stop
),
pieces (session, id, day, start, stop) as (
    select
        session,
        id,
        day,
        max(start, strftime('%Y-%m-%dT%H:%M:%fZ', day, 'utc')),
        min(stop, strftime('%Y-%m-%dT%H:%M:%fZ', day, '+1 day', 'utc'))
    from days
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
)
select
    presence.id as id,
    presence.day as day, -- the local day
    presence.first_in as first_in, -- UTC
    presence.last_out as last_out, -- UTC
    round(presence.minutes, 1) as minutes,
    counted.sessions as sessions,
    coalesce(said.lines, 0) as lines
from presence
join counted using (id, day)
left join said using (id, day);

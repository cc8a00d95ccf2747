//! The statement that commits a batch, and the one that reads a run back.

/// A commit inserts one row into this view: one statement, which is a transaction of its own. With
/// several statements, each would wake the task that waits for the commit, and SQLite would keep
/// what each might have to undo. A statement for each row would cost ten times as much.
// Only this connection has the view: the file holds only tables and views that people query.
pub(super) const BATCH: &str = "
    create temp view batch as
    select
        null as entries, null as begun, null as continued, null as joins, null as ends,
        null as leaves, null as old_head, null as head, null as alive_at, null as crl_number;

    create temp trigger people instead of insert on batch
    when coalesce(new.joins, new.ends, new.leaves) is not null begin
        insert into joins (session, id, role, ip, port, local_ip, prefix, interface, interface_index,
            serial, fingerprint, tls, cipher, key_exchange, client, joined_at, name)
        select value ->> '$[0]', value ->> '$[1]', value ->> '$[2]', value ->> '$[3]', value ->> '$[4]', value ->> '$[5]',
            value ->> '$[6]', value ->> '$[7]', value ->> '$[8]', value ->> '$[9]', value ->> '$[10]', value ->> '$[11]',
            value ->> '$[12]', value ->> '$[13]', value ->> '$[14]', value ->> '$[15]', value ->> '$[16]'
        from jsonb_each(new.joins);

        update joins set left_at = ended.value ->> '$[1]', reason = ended.value ->> '$[2]'
        from jsonb_each(new.ends) as ended
        where joins.session = ended.value ->> '$[0]';

        update joins set leave_seq = gone.value ->> '$[1]'
        from jsonb_each(new.leaves) as gone
        where joins.id = gone.value ->> '$[0]'
            and joins.session <= gone.value ->> '$[2]'
            and joins.leave_seq is null;
    end;

    create temp trigger lines instead of insert on batch begin
        insert into history (seq, at, kind, id, ip, text, session, nonce, prev)
        select value ->> '$[0]', value ->> '$[1]', value ->> '$[2]', value ->> '$[3]', value ->> '$[4]', value ->> '$[5]',
            value ->> '$[6]', value ->> '$[7]', value ->> '$[8]'
        from jsonb_each(new.entries);

        update senders set last = newest.value ->> '$[1]', n = newest.value ->> '$[2]'
        from jsonb_each(new.continued) as newest
        where senders.first = newest.value ->> '$[0]';

        update meta
        set value = case key
            when 'alive_at' then new.alive_at
            else case value when new.old_head then new.head end
        end
        where key in ('head', 'alive_at');
    end;

    create temp trigger runs instead of insert on batch when new.begun is not null begin
        insert into senders (first, id, run, last, n)
        select value ->> '$[0]', value ->> '$[1]', value ->> '$[2]', value ->> '$[3]', value ->> '$[4]'
        from jsonb_each(new.begun);
    end;

    create temp trigger lists instead of insert on batch when new.crl_number is not null begin
        update meta set value = new.crl_number where key = 'crl_number';
    end";

/// Commits a batch. If the head is not the one that we left, it is set to null, which its table
/// refuses: somebody has written another record into the file.
pub(super) const COMMIT: &str = "insert into batch values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";

/// Reads what is known of a run: from its newest line back to the one that is 64 lines old, or to a
/// line that was deleted, which has neither nonce nor text here.
pub(super) const STORED: &str = "
    with recursive back (seq, lines) as (
        select last, 1 from senders where id = ?1 and run = ?2
        union all
        select history.prev, lines + 1
        from back join history using (seq)
        where history.prev is not null and lines < ?3
    )
    select first, last, n, back.seq as seq, nonce, text
    from senders cross join back left join history using (seq)
    where senders.id = ?1 and senders.run = ?2
    order by lines";

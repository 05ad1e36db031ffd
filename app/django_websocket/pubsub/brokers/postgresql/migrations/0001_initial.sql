-- From when on this broker knows of every message.
CREATE TABLE django_websocket_begun (id text COLLATE "C" NOT NULL);
INSERT INTO django_websocket_begun
    SELECT lpad(floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint::text, 13, '0') || '-000000';

-- A row is locked while a message gets its id, until it is committed: so ids grow in the order in which
-- transactions become visible, and NOTIFY delivers in that order.
CREATE TABLE django_websocket_channel (
    name text COLLATE "C" PRIMARY KEY,
    last text COLLATE "C" NOT NULL,
    expires timestamptz NOT NULL,
    kept integer NOT NULL DEFAULT 0,
    size bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);

CREATE TABLE django_websocket_history (
    channel text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    previous text COLLATE "C" NOT NULL,
    payload bytea NOT NULL,
    PRIMARY KEY (channel, id)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);

-- What is too large for NOTIFY, and not kept in a history, for a minute.
CREATE TABLE django_websocket_large (
    channel text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    payload bytea NOT NULL,
    published timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (channel, id)
);

CREATE TABLE django_websocket_process (
    channel text COLLATE "C" NOT NULL,
    process text COLLATE "C" NOT NULL,
    stamp text NOT NULL,
    expires timestamptz NOT NULL,
    PRIMARY KEY (channel, process)
) WITH (fillfactor = 50);

CREATE TABLE django_websocket_presence (
    channel text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    process text COLLATE "C" NOT NULL,
    count integer NOT NULL,
    PRIMARY KEY (channel, name, process)
);
CREATE INDEX django_websocket_presence_process ON django_websocket_presence (channel, process);

-- What to LISTEN to for a channel: one of 256 names, of these tables alone.
CREATE FUNCTION django_websocket_listen_to(channel text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT 'django_websocket_' || 'django_websocket_channel'::regclass::oid || '_' || left(md5(channel), 2)
$$;

-- The channel, locked. What it has kept beyond its time is removed.
CREATE FUNCTION django_websocket_lock(wanted text) RETURNS django_websocket_channel LANGUAGE plpgsql AS $$
DECLARE
    found_channel django_websocket_channel;
BEGIN
    LOOP
        SELECT * INTO found_channel FROM django_websocket_channel WHERE name = wanted FOR UPDATE;
        EXIT WHEN found;
        INSERT INTO django_websocket_channel (name, last, expires)
            VALUES (wanted, '0000000000000-000000', clock_timestamp() + interval '1 second')
            ON CONFLICT DO NOTHING;
    END LOOP;
    IF found_channel.expires < clock_timestamp() THEN
        IF found_channel.kept > 0 THEN
            DELETE FROM django_websocket_history WHERE channel = wanted;
            found_channel.kept := 0;
            found_channel.size := 0;
        END IF;
        IF found_channel.expires < clock_timestamp() - interval '1 day' THEN
            found_channel.last := '0000000000000-000000';
        END IF;
    END IF;
    RETURN found_channel;
END
$$;

-- Publish a message to a locked channel. `most`: how many bytes its history may have; null: any number.
-- `slack`: by how many messages it may exceed `keep` until it is trimmed, many at once.
CREATE FUNCTION django_websocket_append(
    locked django_websocket_channel, payload bytea, keep integer, ttl float8, most bigint,
    slack integer DEFAULT 0
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    now_ms bigint := floor(extract(epoch FROM clock_timestamp()) * 1000);
    last_ms bigint := split_part(locked.last, '-', 1);
    count_in_ms integer := 0;
    new_id text;
    note text;
    oldest record;
BEGIN
    IF now_ms <= last_ms THEN
        now_ms := last_ms;
        count_in_ms := split_part(locked.last, '-', 2)::integer + 1;
        IF count_in_ms > 999999 THEN
            now_ms := now_ms + 1;
            count_in_ms := 0;
        END IF;
    END IF;
    new_id := lpad(now_ms::text, 13, '0') || '-' || lpad(count_in_ms::text, 6, '0');
    note := new_id || ' ' || locked.last || ' ' || locked.name || ' ';
    IF octet_length(payload) <= 5000 AND octet_length(note) + octet_length(payload) * 1.4 < 7900 THEN
        note := note || encode(payload, 'base64');
    ELSIF keep = 0 OR octet_length(payload) > most THEN
        INSERT INTO django_websocket_large (channel, id, payload) VALUES (locked.name, new_id, payload);
    END IF;
    IF keep > 0 AND (most IS NULL OR octet_length(payload) <= most) THEN
        INSERT INTO django_websocket_history (channel, id, previous, payload)
            VALUES (locked.name, new_id, locked.last, payload);
        locked.kept := locked.kept + 1;
        locked.size := locked.size + octet_length(payload);
        IF locked.kept > keep + slack OR locked.size > most THEN
            FOR oldest IN
                SELECT id, octet_length(h.payload) AS bytes FROM django_websocket_history h
                WHERE channel = locked.name ORDER BY id
            LOOP
                EXIT WHEN locked.kept <= keep AND (most IS NULL OR locked.size <= most);
                DELETE FROM django_websocket_history WHERE channel = locked.name AND id = oldest.id;
                locked.kept := locked.kept - 1;
                locked.size := locked.size - oldest.bytes;
            END LOOP;
        END IF;
    END IF;
    UPDATE django_websocket_channel
        SET last = new_id, kept = locked.kept, size = locked.size,
            expires = clock_timestamp() + make_interval(secs => ttl)
        WHERE name = locked.name;
    PERFORM pg_notify(django_websocket_listen_to(locked.name), note);
    RETURN new_id;
END
$$;

CREATE FUNCTION django_websocket_publish(channel text, payload bytea, keep integer, ttl float8, most bigint)
RETURNS text LANGUAGE sql AS $$
    SELECT django_websocket_append(django_websocket_lock(channel), payload, keep, ttl, most, keep / 8)
$$;

-- Put `payload` in a message's place, and `notice` in that of its editions; publish the notice.
CREATE FUNCTION django_websocket_change(
    locked django_websocket_channel, changed text, new_payload bytea, notice bytea,
    keep integer, ttl float8, most bigint
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    kept_for float8 := extract(epoch FROM locked.expires - clock_timestamp());
BEGIN
    UPDATE django_websocket_history SET payload = CASE WHEN id = changed THEN new_payload ELSE notice END
        WHERE channel = locked.name
        AND (id = changed OR substring(payload FOR 21) = convert_to('e' || changed, 'UTF8'));
    IF found THEN
        SELECT coalesce(sum(octet_length(payload)), 0) INTO locked.size
            FROM django_websocket_history WHERE channel = locked.name;
    END IF;
    RETURN django_websocket_append(
        locked, notice, greatest(locked.kept, keep, 1), greatest(ttl, kept_for), most
    );
END
$$;

CREATE FUNCTION django_websocket_retract(channel text, retracted text, keep integer, ttl float8, most bigint)
RETURNS text LANGUAGE sql AS $$
    SELECT django_websocket_change(
        django_websocket_lock(channel), retracted,
        convert_to('r' || retracted, 'UTF8'), convert_to('r' || retracted, 'UTF8'), keep, ttl, most
    )
$$;

CREATE FUNCTION django_websocket_edit(
    wanted text, edited text, new_payload bytea, keep integer, ttl float8, most bigint
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    locked django_websocket_channel := django_websocket_lock(wanted);
BEGIN
    IF EXISTS (
        SELECT FROM django_websocket_history WHERE channel = wanted AND (
            id = edited AND substring(payload FOR 1) IN ('r'::bytea, 'c'::bytea, 'e'::bytea)
            OR payload = convert_to('r' || edited, 'UTF8')
        )
    ) THEN
        RETURN NULL;
    END IF;
    RETURN django_websocket_change(
        locked, edited, new_payload, convert_to('e' || edited, 'UTF8') || new_payload, keep, ttl, most
    );
END
$$;

CREATE FUNCTION django_websocket_clear(wanted text, notice bytea, ttl float8, most bigint)
RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    locked django_websocket_channel := django_websocket_lock(wanted);
    kept_for float8 := extract(epoch FROM locked.expires - clock_timestamp());
BEGIN
    DELETE FROM django_websocket_history WHERE channel = wanted;
    locked.kept := 0;
    locked.size := 0;
    RETURN django_websocket_append(locked, notice, 1, greatest(ttl, kept_for), most);
END
$$;

-- Forget dead processes, then note the counts of one, if any is given; publish who has joined or left.
CREATE FUNCTION django_websocket_announce(
    wanted text, announced text, counts jsonb, ttl float8, known_stamp text, keep integer, changes_ttl float8
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    gone text[];
    touched text[];
    before text[];
    after text[];
    joined text[];
    departed text[];
    known boolean := false;
    new_stamp text;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('django_websocket_presence ' || wanted, 0));
    gone := array(
        SELECT process FROM django_websocket_process WHERE channel = wanted AND expires <= clock_timestamp()
    );
    IF announced IS NOT NULL THEN
        known := known_stamp IS NULL OR EXISTS (
            SELECT FROM django_websocket_process WHERE channel = wanted AND process = announced
            AND stamp = known_stamp AND NOT process = ANY (gone)
        );
        IF known_stamp IS NULL THEN
            gone := gone || announced;
        END IF;
    END IF;
    touched := array(
        SELECT name FROM django_websocket_presence WHERE channel = wanted AND process = ANY (gone)
    );
    IF known THEN
        touched := touched || array(SELECT jsonb_object_keys(counts));
    END IF;
    before := array(
        SELECT DISTINCT name FROM django_websocket_presence WHERE channel = wanted AND name = ANY (touched)
    );
    DELETE FROM django_websocket_presence WHERE channel = wanted AND process = ANY (gone);
    DELETE FROM django_websocket_process WHERE channel = wanted AND process = ANY (gone);
    IF known THEN
        INSERT INTO django_websocket_presence (channel, name, process, count)
            SELECT wanted, key, announced, value::integer FROM jsonb_each_text(counts)
            ON CONFLICT (channel, name, process) DO UPDATE SET count = excluded.count;
        DELETE FROM django_websocket_presence
            WHERE channel = wanted AND process = announced AND name = ANY (touched) AND count <= 0;
        new_stamp := gen_random_uuid()::text;
        IF known_stamp IS NOT NULL OR counts <> '{}' THEN
            INSERT INTO django_websocket_process (channel, process, stamp, expires)
                VALUES (wanted, announced, new_stamp, clock_timestamp() + make_interval(secs => ttl))
                ON CONFLICT (channel, process) DO UPDATE SET stamp = excluded.stamp, expires = excluded.expires;
        END IF;
    END IF;
    after := array(
        SELECT DISTINCT name FROM django_websocket_presence WHERE channel = wanted AND name = ANY (touched)
    );
    joined := array(SELECT unnest(after) COLLATE "C" EXCEPT SELECT unnest(before) ORDER BY 1);
    departed := array(SELECT unnest(before) COLLATE "C" EXCEPT SELECT unnest(after) ORDER BY 1);
    IF joined <> '{}' OR departed <> '{}' THEN
        PERFORM django_websocket_publish(
            '{' || wanted || '}:presence',
            convert_to('j' || json_build_object('joined', joined, 'left', departed)::text, 'UTF8'),
            keep, changes_ttl, NULL
        );
    END IF;
    RETURN new_stamp;
END
$$;

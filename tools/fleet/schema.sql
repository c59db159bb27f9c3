-- The engine of a fleet of nginx: a log with compare-and-append, the present
-- rows, and who may do what.  "dm-account replicate init" runs this; so may a
-- person: psql -v ON_ERROR_STOP=1 -f schema.sql.  PostgreSQL 14 or newer.
--
-- All that is in it is sealed and signed by others; what is judged here is who
-- writes, and lengths.  docs/fleet.md tells the rest.

BEGIN;

-- The owner cannot log in.  A writer may all that a beat may, and a beat all
-- that a node may; who logs in is a member of one of these three.

DO $$
DECLARE
    needed text;
BEGIN
    FOREACH needed IN ARRAY ARRAY['dm-sec-owner', 'dm-sec-node',
        'dm-sec-beat', 'dm-sec-writer']
    LOOP
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles r
            WHERE r.rolname = needed)
        THEN
            EXECUTE pg_catalog.format('CREATE ROLE %I NOLOGIN', needed);
        END IF;
    END LOOP;

    IF NOT pg_catalog.pg_has_role('dm-sec-beat', 'dm-sec-node', 'MEMBER') THEN
        GRANT "dm-sec-node" TO "dm-sec-beat";
    END IF;

    IF NOT pg_catalog.pg_has_role('dm-sec-writer', 'dm-sec-beat', 'MEMBER') THEN
        GRANT "dm-sec-beat" TO "dm-sec-writer";
    END IF;

    -- who has made a role may not become it in PostgreSQL 16, but by this

    IF NOT (SELECT r.rolsuper FROM pg_catalog.pg_roles r
        WHERE r.rolname = CURRENT_USER)
    THEN
        GRANT "dm-sec-owner" TO CURRENT_USER;
    END IF;
END
$$;

CREATE SCHEMA dm_sec AUTHORIZATION "dm-sec-owner";

SET LOCAL ROLE "dm-sec-owner";


CREATE TABLE dm_sec.head (
    one     boolean PRIMARY KEY DEFAULT true CHECK (one),
    number  bigint NOT NULL DEFAULT 0 CHECK (number >= 0),
    body    bytea CHECK (octet_length(body) BETWEEN 1 AND 1024)
);

-- Beats have a table of their own: who writes for minutes does not hold them up

CREATE TABLE dm_sec.beat (
    one     boolean PRIMARY KEY DEFAULT true CHECK (one),
    body    bytea CHECK (octet_length(body) BETWEEN 1 AND 1024)
);

CREATE TABLE dm_sec.entry (
    number  bigint PRIMARY KEY CHECK (number > 0),
    body    bytea NOT NULL CHECK (octet_length(body) BETWEEN 1 AND 1052672)
);

CREATE TABLE dm_sec."row" (
    key     bytea PRIMARY KEY CHECK (octet_length(key) = 32),
    body    bytea NOT NULL CHECK (octet_length(body) BETWEEN 1 AND 20480)
) WITH (fillfactor = 90);

CREATE TABLE dm_sec.node (
    name    name PRIMARY KEY,
    said    bytea NOT NULL CHECK (octet_length(said) <= 4096),
    at      timestamptz NOT NULL
);

-- nothing that is sealed can be made smaller

ALTER TABLE dm_sec.entry ALTER COLUMN body SET STORAGE EXTERNAL;
ALTER TABLE dm_sec."row" ALTER COLUMN body SET STORAGE EXTERNAL;

INSERT INTO dm_sec.head DEFAULT VALUES;
INSERT INTO dm_sec.beat DEFAULT VALUES;


CREATE FUNCTION dm_sec.version() RETURNS integer
    LANGUAGE sql IMMUTABLE
    AS 'SELECT 1';


-- Writers queue here, each until the transaction of the one before is over.

CREATE FUNCTION dm_sec.lock() RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM FROM dm_sec.head FOR UPDATE;
END
$$;


-- Appends the entry behind the one that is called before; false: that is not
-- the last one.  A body that is NULL deletes its row; of two for one key the
-- later counts.

CREATE FUNCTION dm_sec.append(before bigint, head bytea, entry bytea,
    keys bytea[], bodies bytea[]) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF cardinality(keys) <> cardinality(bodies) OR cardinality(keys) > 1000 THEN
        RAISE invalid_parameter_value
            USING MESSAGE = 'as many keys as bodies, 1000 at most';
    END IF;

    UPDATE dm_sec.head h SET number = before + 1, body = append.head
        WHERE h.number = before AND h.body IS NOT NULL;

    IF NOT FOUND THEN
        RETURN false;
    END IF;

    INSERT INTO dm_sec.entry (number, body) VALUES (before + 1, append.entry);

    WITH last AS (
        SELECT DISTINCT ON (c.key) c.key, c.body
            FROM unnest(keys, bodies) WITH ORDINALITY AS c (key, body, place)
            ORDER BY c.key, c.place DESC
    ), gone AS (
        DELETE FROM dm_sec."row" r USING last
            WHERE r.key = last.key AND last.body IS NULL
    )
    INSERT INTO dm_sec."row" AS r (key, body)
        SELECT last.key, last.body FROM last WHERE last.body IS NOT NULL
        ON CONFLICT (key) DO UPDATE SET body = EXCLUDED.body;

    PERFORM pg_notify('dm_sec', '');

    RETURN true;
END
$$;


-- Puts a beat in the place of the one before; false: another one is there.

CREATE FUNCTION dm_sec.beat(before bytea, now bytea) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE dm_sec.beat b SET body = now
        WHERE b.body IS NOT DISTINCT FROM before;

    IF NOT FOUND THEN
        RETURN false;
    END IF;

    PERFORM pg_notify('dm_sec', '');

    RETURN true;
END
$$;


-- The line of who is logged in, at the time of the engine.

CREATE FUNCTION dm_sec.tell(said bytea) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    INSERT INTO dm_sec.node AS n (name, said, at)
        VALUES (session_user, tell.said, clock_timestamp())
        ON CONFLICT (name) DO UPDATE SET said = EXCLUDED.said, at = EXCLUDED.at;
END
$$;


-- Deletes the line of a node that is no more; whether it had one.

CREATE FUNCTION dm_sec.forget(node name) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    DELETE FROM dm_sec.node n WHERE n.name = forget.node;

    RETURN FOUND;
END
$$;


-- Deletes the entries before that number, but never the last one; how many.

CREATE FUNCTION dm_sec.prune(before bigint) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    gone bigint;
BEGIN
    DELETE FROM dm_sec.entry e
        WHERE e.number < before
            AND e.number < (SELECT h.number FROM dm_sec.head h);

    GET DIAGNOSTICS gone = ROW_COUNT;

    RETURN gone;
END
$$;


-- Nobody may anything but what is granted here.

REVOKE ALL ON SCHEMA dm_sec FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA dm_sec FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA dm_sec FROM PUBLIC;

GRANT USAGE ON SCHEMA dm_sec TO "dm-sec-node";
GRANT SELECT ON dm_sec.head, dm_sec.beat, dm_sec.entry, dm_sec."row",
    dm_sec.node TO "dm-sec-node";
GRANT EXECUTE ON FUNCTION dm_sec.version(), dm_sec.tell(bytea)
    TO "dm-sec-node";
GRANT EXECUTE ON FUNCTION dm_sec.beat(bytea, bytea) TO "dm-sec-beat";
GRANT EXECUTE ON FUNCTION dm_sec.lock(),
    dm_sec.append(bigint, bytea, bytea, bytea[], bytea[]),
    dm_sec.forget(name), dm_sec.prune(bigint) TO "dm-sec-writer";

-- A node sees its own line, a writer all; tell() alone writes one.

ALTER TABLE dm_sec.node ENABLE ROW LEVEL SECURITY;

CREATE POLICY own ON dm_sec.node FOR SELECT TO "dm-sec-node"
    USING (name = session_user);
CREATE POLICY each ON dm_sec.node FOR SELECT TO "dm-sec-writer"
    USING (true);

COMMENT ON SCHEMA dm_sec IS 'the fleet of an account store of nginx';

COMMIT;

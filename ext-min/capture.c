/*
 * Change capture in C: what a capture function does (sql/40_capture.sql), for the statements that are common.
 *
 * The library is the handler of the language pgtrickle_capture. The source of a function in that language is the one in
 * PL/pgSQL, complete, below a first line with what this file needs to know. Whatever is not as expected here is given to
 * PL/pgSQL, which runs that source: TRUNCATE, a log or a source that was altered, indexes or triggers on a log.
 *
 * Rules:
 * - The log is found by the name and the schema of the function, and must belong to the function's owner. So a function of
 *   this language writes nothing that its owner could not write.
 * - No code of a user runs: values are copied and compared byte by byte, no operator, cast, default or constraint is used.
 * - Nothing is kept over a change of a table: what is remembered of it ends with the relation's cache entry.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/twophase.h"
#include "access/xact.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "commands/async.h"
#include "commands/sequence.h"
#include "commands/trigger.h"
#include "common/hashfn.h"
#include "executor/executor.h"
#include "executor/tuptable.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgrprotos.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/tuplestore.h"
#include "utils/xid8.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(pgtrickle_capture_handler);
PG_FUNCTION_INFO_V1(pgtrickle_capture_version);

/* What the first line of a function and this library have to agree about. */
#define CAPTURE_VERSION 1

/* A batch of rows ends with either, as in COPY. */
#define BATCH_ROWS 1000
#define BATCH_BYTES 65536

typedef struct
{
    Oid function; /* capture_<N> */
    Oid relation; /* the one that the trigger is on: the source, or a partition or child of it */
} CaptureKey;

/* How rows of a relation become rows of its log. */
typedef struct
{
    CaptureKey key;
    bool valid;  /* nothing that it was made of has changed */
    bool usable; /* otherwise PL/pgSQL does it */
    TransactionId xmin; /* the row of pg_proc, as PL/pgSQL recognises it */
    ItemPointerData tid;
    Oid source;
    Oid log;
    Oid sequence;
    bool partitioned; /* UPDATE triggers of partitioned tables have to look for MERGE */
    int32 lock_class;
    int32 lock_key;
    char channel[NAMEDATALEN];
    char payload[NAMEDATALEN];
    AttrNumber xid_column;
    AttrNumber seq_column;
    AttrNumber weight_column;
    int columns;
    AttrNumber last; /* the highest of from */
    AttrNumber *from;
    AttrNumber *to;
    MemoryContext context; /* of the two arrays */
} Capture;

/* The rows that one statement writes. */
typedef struct
{
    const Capture *capture;
    Relation log;
    Datum xid;
    Datum seq;
    CommandId command;
    MemoryContext statement;
    MemoryContext row; /* emptied after each row or batch */
    TupleTableSlot *slots[BATCH_ROWS];
    int filled;
    Size bytes;
    uint64 written;
} Writer;

static HTAB *captures = NULL;

static void forget_relation(Datum unused, Oid relation)
{
    HASH_SEQ_STATUS scan;
    Capture *capture;

    (void) unused;
    hash_seq_init(&scan, captures);
    while ((capture = hash_seq_search(&scan)) != NULL)
        if (!OidIsValid(relation) || relation == capture->key.relation || relation == capture->source ||
            relation == capture->log)
            capture->valid = false;
}

static Capture *find_capture(Oid function, Oid relation)
{
    CaptureKey key;
    Capture *capture;
    bool found;

    if (captures == NULL)
    {
        HASHCTL control;

        memset(&control, 0, sizeof control);
        control.keysize = sizeof(CaptureKey);
        control.entrysize = sizeof(Capture);
        captures = hash_create("pgtrickle captures", 32, &control, HASH_ELEM | HASH_BLOBS);
        CacheRegisterRelcacheCallback(forget_relation, (Datum) 0);
    }
    memset(&key, 0, sizeof key);
    key.function = function;
    key.relation = relation;
    capture = hash_search(captures, &key, HASH_ENTER, &found);
    if (!found)
        memset((char *) capture + sizeof key, 0, sizeof *capture - sizeof key);
    return capture;
}

/* The number of the source's column that a column of the log is of ("c12"), 0 if it is none. */
static AttrNumber source_column(const char *name)
{
    char *end;
    long number;

    if (name[0] != 'c' || name[1] < '1' || name[1] > '9')
        return 0;
    number = strtol(name + 1, &end, 10);
    return *end == '\0' && number <= MaxHeapAttributeNumber ? (AttrNumber) number : 0;
}

/* A plain table of this owner: rows can be put into it without anything else having to happen. */
static bool is_plain_log(Relation log, Oid owner)
{
    Form_pg_class class = log->rd_rel;

    return class->relkind == RELKIND_RELATION && class->relpersistence == RELPERSISTENCE_PERMANENT &&
           class->relowner == owner && !class->relhasindex && !class->relhastriggers && !class->relhasrules &&
           !class->relrowsecurity && !class->relispartition && class->relchecks == 0;
}

/*
 * Fills in which column goes where. False if something does not fit. The names are those of the source's columns, of which
 * partitions may have another order; names that are not those of the function's making are somebody's ALTER TABLE.
 */
static bool map_columns(Capture *capture, Relation log, Relation source, Relation relation, int64 names_hash)
{
    TupleDesc to = RelationGetDescr(log);
    AttrNumber log_columns[MaxHeapAttributeNumber + 1] = {0};
    StringInfoData names;

    for (AttrNumber i = 1; i <= to->natts; i++)
    {
        Form_pg_attribute column = TupleDescAttr(to, i - 1);
        const char *name = NameStr(column->attname);

        if (column->attisdropped)
            continue;
        if (column->attgenerated != '\0' || column->attidentity != '\0')
            return false;
        if (strcmp(name, "xid") == 0 && column->atttypid == XID8OID)
            capture->xid_column = i;
        else if (strcmp(name, "seq") == 0 && column->atttypid == INT8OID)
            capture->seq_column = i;
        else if (strcmp(name, "w") == 0 && column->atttypid == INT2OID)
            capture->weight_column = i;
        else if (source_column(name) != 0 && !column->attnotnull && log_columns[source_column(name)] == 0)
            log_columns[source_column(name)] = i;
        else
            return false;
    }
    if (capture->xid_column == 0 || capture->seq_column == 0 || capture->weight_column == 0)
        return false;

    capture->from = MemoryContextAlloc(capture->context, sizeof(AttrNumber) * (to->natts + 1));
    capture->to = MemoryContextAlloc(capture->context, sizeof(AttrNumber) * (to->natts + 1));
    initStringInfo(&names);
    for (AttrNumber number = 1; number <= MaxHeapAttributeNumber; number++)
    {
        Form_pg_attribute column;
        Form_pg_attribute target;
        AttrNumber from = number;
        int32 typmod;

        if (log_columns[number] == 0)
            continue;
        if (number > RelationGetDescr(source)->natts)
            return false;
        column = TupleDescAttr(RelationGetDescr(source), number - 1);
        if (column->attisdropped)
            return false;
        if (names.len > 0)
            appendStringInfoChar(&names, '\n');
        appendStringInfoString(&names, NameStr(column->attname));
        if (relation != source)
        {
            from = get_attnum(RelationGetRelid(relation), NameStr(column->attname));
            if (from <= 0 || from > RelationGetDescr(relation)->natts)
                return false;
            column = TupleDescAttr(RelationGetDescr(relation), from - 1);
        }
        target = TupleDescAttr(to, log_columns[number] - 1);
        typmod = column->atttypmod;
        if (column->attisdropped || (column->attgenerated != '\0' && column->attgenerated != 's') ||
            getBaseTypeAndTypmod(column->atttypid, &typmod) != target->atttypid || typmod != target->atttypmod ||
            column->attlen != target->attlen || column->attbyval != target->attbyval)
            return false;
        capture->from[capture->columns] = from;
        capture->to[capture->columns] = log_columns[number];
        capture->columns++;
        capture->last = Max(capture->last, from);
    }
    return (int64) hash_bytes_extended((const unsigned char *) names.data, names.len, 0) == names_hash;
}

/* Reads the first line of the function. False if it is not for this library. */
static bool read_parameters(Capture *capture, HeapTuple function, char *active, int64 *names_hash)
{
    bool is_null;
    Datum source = SysCacheGetAttr(PROCOID, function, Anum_pg_proc_prosrc, &is_null);
    char *body = is_null ? NULL : TextDatumGetCString(source);
    char *line_end = is_null ? NULL : strchr(body, '\n');
    long long hash;
    int version;
    int partitioned;

    if (line_end == NULL)
        return false;
    *line_end = '\0';
    if (sscanf(body, "-- pgtrickle_capture %d %c %u %lld %d %d %d %63s %63s", &version, active, &capture->source, &hash,
               &partitioned, &capture->lock_class, &capture->lock_key, capture->channel, capture->payload) != 9)
        return false;
    *names_hash = hash;
    capture->partitioned = partitioned != 0;
    return version == CAPTURE_VERSION && (*active == 'a' || *active == 'b');
}

static bool learn(Capture *capture, HeapTuple function, Relation relation)
{
    Form_pg_proc form = (Form_pg_proc) GETSTRUCT(function);
    const char *name = NameStr(form->proname);
    char log_name[NAMEDATALEN * 2];
    int64 names_hash;
    char active;
    Relation log;
    Relation source = relation;
    bool fits;

    if (strncmp(name, "capture_", 8) != 0 || !read_parameters(capture, function, &active, &names_hash))
        return false;
    snprintf(log_name, sizeof log_name, "log_%s_%c", name + 8, active);
    capture->log = get_relname_relid(log_name, form->pronamespace);
    capture->sequence = get_relname_relid("log_seq", form->pronamespace);
    if (!OidIsValid(capture->log) || !OidIsValid(capture->sequence) ||
        get_rel_relkind(capture->sequence) != RELKIND_SEQUENCE || get_rel_relkind(capture->log) != RELKIND_RELATION)
        return false;
    log = try_table_open(capture->log, RowExclusiveLock);
    if (log == NULL)
        return false;
    if (capture->source != RelationGetRelid(relation))
        source = try_table_open(capture->source, AccessShareLock);
    fits = source != NULL && is_plain_log(log, form->proowner) &&
           map_columns(capture, log, source, relation, names_hash);
    if (source != NULL && source != relation)
        table_close(source, AccessShareLock);
    table_close(log, NoLock);
    return fits;
}

/*
 * Opens the log of what the trigger is for, locked until the end of the transaction, and makes sure that the mapping is of
 * the present state: who alters a log or a source holds a lock that ours waits for.
 */
static Relation open_log(Capture *capture, Oid function_id, Relation relation)
{
    for (int attempt = 0; attempt < 3; attempt++)
    {
        HeapTuple function = SearchSysCache1(PROCOID, ObjectIdGetDatum(function_id));
        Relation log;

        if (!HeapTupleIsValid(function))
            return NULL;
        if (!capture->valid || capture->xmin != HeapTupleHeaderGetRawXmin(function->t_data) ||
            !ItemPointerEquals(&capture->tid, &function->t_self))
        {
            MemoryContext old = capture->context;

            capture->context = NULL;
            if (old != NULL)
                MemoryContextDelete(old);
            memset((char *) capture + sizeof capture->key, 0, sizeof *capture - sizeof capture->key);
            capture->context = AllocSetContextCreate(TopMemoryContext, "pgtrickle capture", ALLOCSET_SMALL_SIZES);
            capture->xmin = HeapTupleHeaderGetRawXmin(function->t_data);
            capture->tid = function->t_self;
            capture->valid = true; /* before the first look: what changes meanwhile makes it invalid again */
            PG_TRY();
            {
                capture->usable = learn(capture, function, relation);
            }
            PG_CATCH();
            {
                capture->valid = false;
                PG_RE_THROW();
            }
            PG_END_TRY();
        }
        ReleaseSysCache(function);
        if (!capture->usable)
            return NULL;
        log = try_table_open(capture->log, RowExclusiveLock);
        if (log != NULL && capture->valid)
            return log;
        if (log != NULL)
            table_close(log, NoLock);
        capture->valid = false;
    }
    return NULL;
}

static void flush_rows(Writer *writer)
{
    MemoryContext before = MemoryContextSwitchTo(writer->row);

    if (writer->filled == 1)
        table_tuple_insert(writer->log, writer->slots[0], writer->command, 0, NULL);
    else if (writer->filled > 1)
        table_multi_insert(writer->log, writer->slots, writer->filled, writer->command, 0, NULL);
    MemoryContextSwitchTo(before);
    MemoryContextReset(writer->row);
    writer->written += writer->filled;
    writer->filled = 0;
    writer->bytes = 0;
}

static void write_row(Writer *writer, int weight, TupleTableSlot *from)
{
    const Capture *capture = writer->capture;
    TupleTableSlot *slot = writer->slots[writer->filled];
    HeapTuple tuple;
    bool is_copy;

    if (slot == NULL)
        slot = writer->slots[writer->filled] = table_slot_create(writer->log, NULL);
    ExecClearTuple(slot);
    memset(slot->tts_isnull, true, sizeof(bool) * slot->tts_tupleDescriptor->natts);
    slot->tts_values[capture->xid_column - 1] = writer->xid;
    slot->tts_isnull[capture->xid_column - 1] = false;
    slot->tts_values[capture->seq_column - 1] = writer->seq;
    slot->tts_isnull[capture->seq_column - 1] = false;
    slot->tts_values[capture->weight_column - 1] = Int16GetDatum(weight);
    slot->tts_isnull[capture->weight_column - 1] = false;
    slot_getsomeattrs(from, capture->last);
    for (int i = 0; i < capture->columns; i++)
    {
        slot->tts_values[capture->to[i] - 1] = from->tts_values[capture->from[i] - 1];
        slot->tts_isnull[capture->to[i] - 1] = from->tts_isnull[capture->from[i] - 1];
    }
    ExecStoreVirtualTuple(slot);
    tuple = ExecFetchSlotHeapTuple(slot, true, &is_copy); /* its own copy: the tuplestore reuses the row */
    writer->bytes += tuple->t_len;
    if (is_copy)
        heap_freetuple(tuple);
    writer->filled++;
    if (writer->filled == BATCH_ROWS || writer->bytes >= BATCH_BYTES)
        flush_rows(writer);
}

/* Are the captured columns of two rows the same, byte for byte? Then they are nothing to anybody who reads the log. */
static bool same_columns(Writer *writer, TupleTableSlot *a, TupleTableSlot *b)
{
    const Capture *capture = writer->capture;
    MemoryContext before = MemoryContextSwitchTo(writer->row);
    bool same = true;

    slot_getsomeattrs(a, capture->last);
    slot_getsomeattrs(b, capture->last);
    for (int i = 0; i < capture->columns && same; i++)
    {
        int at = capture->from[i] - 1;
        Form_pg_attribute column = TupleDescAttr(a->tts_tupleDescriptor, at);

        if (a->tts_isnull[at] || b->tts_isnull[at])
            same = a->tts_isnull[at] && b->tts_isnull[at];
        else /* the first is without reading what is stored out of line */
            same = datumIsEqual(a->tts_values[at], b->tts_values[at], column->attbyval, column->attlen) ||
                   datum_image_eq(a->tts_values[at], b->tts_values[at], column->attbyval, column->attlen);
    }
    MemoryContextSwitchTo(before);
    MemoryContextReset(writer->row);
    return same;
}

/* Other triggers read the same rows, so we need a place of our own in them. */
static void read_from_start(Tuplestorestate *rows, int *place)
{
    *place = tuplestore_alloc_read_pointer(rows, EXEC_FLAG_REWIND);
    tuplestore_select_read_pointer(rows, *place);
    tuplestore_rescan(rows);
}

/*
 * The old and the new image of a row have the same number. Where that is not so (a trigger has swallowed a row that was
 * to move to another partition), the sum of what is written stays right: only what is compared differs.
 */
static void write_rows(Writer *writer, Relation relation, Tuplestorestate *removed, Tuplestorestate *added)
{
    TupleDesc columns = RelationGetDescr(relation);
    TupleTableSlot *old = removed == NULL ? NULL : MakeSingleTupleTableSlot(columns, &TTSOpsMinimalTuple);
    TupleTableSlot *new = added == NULL ? NULL : MakeSingleTupleTableSlot(columns, &TTSOpsMinimalTuple);
    int place;

    if (removed != NULL)
        read_from_start(removed, &place);
    if (added != NULL)
        read_from_start(added, &place);
    for (;;)
    {
        bool has_old = removed != NULL && tuplestore_gettupleslot(removed, true, false, old);
        bool has_new = added != NULL && tuplestore_gettupleslot(added, true, false, new);

        CHECK_FOR_INTERRUPTS();
        if (!has_old && !has_new)
            break;
        if (has_old && has_new && same_columns(writer, old, new))
            continue;
        if (has_old)
            write_row(writer, -1, old);
        if (has_new)
            write_row(writer, 1, new);
    }
    flush_rows(writer);
    if (old != NULL)
        ExecDropSingleTupleTableSlot(old);
    if (new != NULL)
        ExecDropSingleTupleTableSlot(new);
    for (int i = 0; i < BATCH_ROWS && writer->slots[i] != NULL; i++)
        ExecDropSingleTupleTableSlot(writer->slots[i]);
}

/* A daemon that sleeps on the source holds its lock. No NOTIFY where a transaction may be prepared: that would fail. */
static void wake(const Capture *capture)
{
    if (!DatumGetBool(DirectFunctionCall2(pg_try_advisory_xact_lock_shared_int4, Int32GetDatum(capture->lock_class),
                                          Int32GetDatum(capture->lock_key))) &&
        max_prepared_xacts == 0)
        Async_Notify(capture->channel, capture->payload);
}

/* Captures the statement. False: nothing was done, PL/pgSQL has to. */
static bool capture_statement(Oid function, TriggerData *trigger)
{
    Relation relation = trigger->tg_relation;
    bool is_update = TRIGGER_FIRED_BY_UPDATE(trigger->tg_event);
    Tuplestorestate *removed = NULL;
    Tuplestorestate *added = NULL;
    Capture *capture;
    MemoryContext before;
    Writer *writer;
    Relation log;
    bool pushed = false;
    MemoryContext statement;
    uint64 written;

    if (!TRIGGER_FIRED_AFTER(trigger->tg_event) || !TRIGGER_FIRED_FOR_STATEMENT(trigger->tg_event) ||
        TRIGGER_FIRED_BY_TRUNCATE(trigger->tg_event))
        return false;
    if (is_update || TRIGGER_FIRED_BY_DELETE(trigger->tg_event))
    {
        removed = trigger->tg_oldtable;
        if (removed == NULL)
            return false;
    }
    if (is_update || TRIGGER_FIRED_BY_INSERT(trigger->tg_event))
    {
        added = trigger->tg_newtable;
        if (added == NULL)
            return false;
    }
    capture = find_capture(function, RelationGetRelid(relation));
    log = open_log(capture, function, relation);
    if (log == NULL)
        return false;
    if (is_update && capture->partitioned) /* also without rows: those that a MERGE moves are in no transition table */
    {
        table_close(log, NoLock);
        return false;
    }
    if ((removed == NULL || tuplestore_tuple_count(removed) == 0) &&
        (added == NULL || tuplestore_tuple_count(added) == 0))
    {
        table_close(log, NoLock);
        return true;
    }

    statement = AllocSetContextCreate(CurrentMemoryContext, "pgtrickle statement", ALLOCSET_DEFAULT_SIZES);
    before = MemoryContextSwitchTo(statement);
    if (!ActiveSnapshotSet())
    {
        PushActiveSnapshot(GetTransactionSnapshot()); /* for values that are stored out of line */
        pushed = true;
    }
    writer = palloc0(sizeof *writer);
    writer->capture = capture;
    writer->log = log;
    writer->statement = statement;
    writer->row = AllocSetContextCreate(statement, "pgtrickle row", ALLOCSET_DEFAULT_SIZES);
    writer->xid = FullTransactionIdGetDatum(GetTopFullTransactionId());
    writer->seq = Int64GetDatum(nextval_internal(capture->sequence, false)); /* all rows of a statement may have the same */
    writer->command = GetCurrentCommandId(true);
    write_rows(writer, relation, removed, added);
    written = writer->written;
    if (pushed)
        PopActiveSnapshot();
    MemoryContextSwitchTo(before);
    MemoryContextDelete(statement);
    table_close(log, NoLock);
    if (written > 0)
    {
        CommandCounterIncrement(); /* the rest of the statement sees the rows, as after an INSERT of PL/pgSQL */
        wake(capture);
    }
    return true;
}

/* The handler of language pgtrickle_capture. */
Datum pgtrickle_capture_handler(PG_FUNCTION_ARGS)
{
    static PGFunction plpgsql = NULL;

    if (CALLED_AS_TRIGGER(fcinfo) && capture_statement(fcinfo->flinfo->fn_oid, (TriggerData *) fcinfo->context))
        return PointerGetDatum(NULL);
    if (plpgsql == NULL)
        plpgsql = load_external_function("$libdir/plpgsql", "plpgsql_call_handler", true, NULL);
    return plpgsql(fcinfo);
}

Datum pgtrickle_capture_version(PG_FUNCTION_ARGS)
{
    (void) fcinfo;
    PG_RETURN_INT32(CAPTURE_VERSION);
}

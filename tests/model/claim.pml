/*
 * claim: the claim, renew, settle, reap and promote protocol of common/queue (its Lua scripts) and worker/ (consumer, lease,
 * attempt, settler, upkeep), to be searched whole by spin. run.sh says with what bounds.
 *
 * A script is one step, since Redis runs it alone. What a worker asks for is sent in one step and carried out in a later one,
 * between which anything may happen: that is the delay of the network, of a frozen worker (SIGSTOP) and of a slow Redis.
 * The clock is a step that may come at any time: it makes a registered worker a silent one until its next renewal.
 *
 * Faults are counted, so that every execution ends:
 *   FAULTS   each a worker that falls silent, dies (a new incarnation follows) or is told to stop; each uses up one name
 *   LOSSES   each an answer that is lost after its script ran or before, a wait whose connection breaks but which the
 *            server serves later, or a lease that the worker gives up by itself
 *   LATE     a request of a broken connection (a start, a settlement, a give_back) that arrives after everything that is sent
 *            on the next one
 *
 * Claims:
 *   A job is always in exactly one place: ready, scheduled, one taken list, or ended. No script puts it in a second one.
 *   What runs stands in the list of a registered worker, so that its lease can end.
 *   Nothing is taken away from a worker that has renewed its lease.
 *   Two workers that both hold their leases do not run the same job.
 *   Only the try that was started last settles a job.
 *   A blob is written once, and what a settlement reports is what is stored. What is stored is not run again.
 *   Every job ends: no execution is endless (searched for by itself, with non-progress cycles), and where one ends every job
 *   has ended, and nothing of a dead worker is left.
 *
 * Left out: `take`. It moves what a wait moves, and refuses in more cases. The order of ids. What cannot be decoded. Cancel,
 * replay and pause: the walks on the real scripts have them (tests/integration/test_walk.c).
 *
 * Each start has a number of its own, which is never used again: so a settlement that arrives late (a connection broke, the
 * worker gave the job back on the next one and started it again) settles nothing. A late give_back may let a second worker run
 * what the first one runs (OVERLAP is not claimed with LATE); only the last start settles it.
 *
 * BUG_… seeds a mistake; run.sh expects spin to find each.
 */
#ifndef JOBS
#define JOBS 2
#endif
#ifndef FAULTS
#define FAULTS 1
#endif
#ifndef LOSSES
#define LOSSES 1
#endif
#ifndef LATE
#define LATE 0
#endif
#ifndef UPKEEPS
#define UPKEEPS 1
#endif
#ifndef MAX_ATTEMPTS
#define MAX_ATTEMPTS 2
#endif
#define MAX_LOST 2
#define WORKERS 2
#define SLOTS 2
#define NAMES (WORKERS + FAULTS)
#define NOBODY 7

/* ---- what Redis and the blob store hold ---- */

/* places */
#define NOWHERE 0
#define READY 1
#define SCHEDULED 2
#define ENDED 3
#define TAKEN 4 /* by the worker of name 0, and so on */

/* states */
#define QUEUED 0
#define RUNNING 1
#define DELAYED 2
#define SUCCEEDED 3
#define DEAD 4

typedef job_record {
    unsigned place : 4;
    unsigned state : 3;
    unsigned holder : 3;  /* whom the status names; NOBODY where it is empty */
    unsigned attempt : 3;
    unsigned lost : 2;
    unsigned excused : 3; /* tries that count as no failure */
    unsigned starts : 3;  /* how often it was started: names a try beyond doubt; the protocol does not know it */
    unsigned blob : 3;    /* the try whose result is stored; 0 = none */
    unsigned late_put : 3 /* a try that was cut off while its result was on its way to the store */
};

typedef registration {
    bit is_registered;
    bit is_fresh;       /* it renewed, and its lease has not ended since */
    bit has_lost;       /* something was taken from its list: it is refused from then on */
    bit is_reaped;
    bit is_gone         /* no process has this name any more */
};

job_record job[JOBS];
registration name[NAMES];

/* ---- what workers know ---- */

/* phases of an attempt */
#define NONE 0
#define STARTING 1     /* start is on its way */
#define RUNS 2         /* or stores its result */
#define SETTLING 3
#define FAILING 4      /* settling that it failed */
#define CUT_SETTLING 5 /* cut off, but the settlement is on its way */
#define CUT_FAILING 6

typedef try_here {
    unsigned phase : 3;
    unsigned j : 1;
    unsigned number : 3;
    unsigned token : 3;  /* job.starts of its start */
    unsigned content : 3 /* the try whose result it reports */
};

typedef worker {
    try_here slot[SLOTS];
    unsigned me : 3;      /* its name */
    bit is_known;         /* it was told that it is registered */
    bit is_held;          /* it believes in its lease */
    bit is_refused;       /* it was told that it was reaped */
    bit is_waiting;       /* a blocking move is on its way or waits in Redis */
    bit is_doubtful;      /* its list may hold what it does not know of */
    bit is_to_look_again; /* a while after it was doubtful: what was under way has ended by then */
    unsigned leaving : 2; /* 1 = told to stop, 2 = and the deadline has passed */
    unsigned back : 2;    /* jobs (bits) whose give_back is on its way */
    unsigned broken : 3   /* a wait of a broken connection that the server still serves: 1 + the name; 0 = none */
};

worker w[WORKERS];
unsigned next_name : 3 = WORKERS;
unsigned faults : 3 = FAULTS;
unsigned losses : 3 = LOSSES;

/* One request of a broken connection, still on its way. */
#define LATE_NONE 0
#define LATE_START 1
#define LATE_SETTLE 2
#define LATE_FAIL 3
#define LATE_BACK 4
#if LATE
typedef request {
    unsigned kind : 3;
    unsigned sender : 3;
    unsigned j : 1;
    unsigned bits : 2;
    unsigned number : 3;
    unsigned token : 3;
    unsigned content : 3
};
request late;
unsigned lates : 2 = LATE;
#endif

hidden byte i;
hidden byte is_given;
hidden byte was_removed;
hidden byte unknown;
hidden byte is_stale;

#define IN_LIST(n, jj) (job[jj].place == TAKEN + (n))
#define LIST_EMPTY(n) (!IN_LIST(n, 0) && !IN_LIST(n, JOBS - 1))
#define HOLDS_LEASE(n) (name[n].is_registered && name[n].is_fresh && !name[n].has_lost)

#define ALL_ENDED (job[0].place == ENDED && job[JOBS - 1].place == ENDED)

/* ---- claims about one job ---- */

#ifdef BUG_POP_THEN_RECORD /* what is popped is nowhere but in the worker's hands */
#define IN_HAND(jj, ww, s) (w[ww].slot[s].phase == STARTING && w[ww].slot[s].j == (jj))
#define IS_SOMEWHERE(jj)                                                                                     \
    (job[jj].place != NOWHERE || IN_HAND(jj, 0, 0) || IN_HAND(jj, 0, 1) || IN_HAND(jj, 1, 0) || IN_HAND(jj, 1, 1))
#else
#define IS_SOMEWHERE(jj) (job[jj].place != NOWHERE)
#endif

#define RUNS_IN(jj, ww, s)                                                                                   \
    (HOLDS_LEASE(w[ww].me) && w[ww].slot[s].j == (jj) && w[ww].slot[s].phase == RUNS)
#define RUNS_AT(jj, ww) (RUNS_IN(jj, ww, 0) || RUNS_IN(jj, ww, 1))

inline check(jj)
{
    assert(IS_SOMEWHERE(jj)); /* NOWHERE */
    assert(job[jj].state != QUEUED || job[jj].place == READY || job[jj].place >= TAKEN || job[jj].place == NOWHERE); /* PLACE */
    assert(job[jj].state != RUNNING || (IN_LIST(job[jj].holder, jj) && name[job[jj].holder].is_registered)); /* LEASED */
    assert(job[jj].state != DELAYED || job[jj].place == SCHEDULED); /* PLACE */
    assert(job[jj].state < SUCCEEDED || job[jj].place == ENDED); /* PLACE */
#if !LATE
    assert(!(RUNS_AT(jj, 0) && RUNS_AT(jj, 1))); /* OVERLAP */
#endif
    assert(job[jj].state != SUCCEEDED || job[jj].blob != 0) /* BLOB */
}

inline check_all()
{
    check(0);
#if JOBS > 1
    check(1);
#endif
}

/* ---- the scripts ---- */

inline put_in(jj, where)
{
    assert(job[jj].place == NOWHERE); /* TWICE */
    job[jj].place = where
}

inline remove(n, jj)
{
    was_removed = IN_LIST(n, jj);
    if
    :: was_removed -> job[jj].place = NOWHERE
    :: else
    fi
}

inline queue(jj)
{
    job[jj].state = QUEUED;
    job[jj].holder = NOBODY
}

#ifdef BUG_START_UNREGISTERED
#define MAY_START(n) true
#else
#define MAY_START(n) (name[n].is_registered && !name[n].has_lost)
#endif
#if defined(BUG_START_UNLISTED)
#define IS_STARTABLE(n, jj) true
#elif defined(BUG_POP_THEN_RECORD)
#define IS_STARTABLE(n, jj) (job[jj].place == NOWHERE)
#else
#define IS_STARTABLE(n, jj) IN_LIST(n, jj)
#endif

inline start(n, jj)
{
    is_given = false;
    if
    :: !MAY_START(n) || !IS_STARTABLE(n, jj)
    :: else ->
        if
        :: job[jj].state == QUEUED ->
            job[jj].state = RUNNING;
            job[jj].holder = n;
            job[jj].attempt++;
            job[jj].starts++;
#ifdef BUG_POP_THEN_RECORD
            put_in(jj, TAKEN + n);
#endif
            is_given = true
        :: job[jj].state == RUNNING && job[jj].holder == n -> is_given = true
        :: else -> remove(n, jj)
        fi
    fi
}

#ifdef BUG_SETTLE_UNCHECKED
#define IS_ENTITLED(n, jj, its_number) (job[jj].state == RUNNING)
#else
#define IS_ENTITLED(n, jj, its_number) (job[jj].attempt == (its_number) && job[jj].holder == (n))
#endif

#define FAILURES(jj) (job[jj].attempt - job[jj].lost - job[jj].excused)

inline settle(n, jj, its_number, its_token, its_content, has_failed)
{
    is_stale = !IS_ENTITLED(n, jj, its_number);
    if
    :: IS_ENTITLED(n, jj, its_number) && job[jj].state == RUNNING ->
        assert(job[jj].starts == its_token); /* STALE */
        job[jj].place = NOWHERE;
        if
        :: !(has_failed) ->
            assert(its_content == job[jj].blob); /* BLOB */
            job[jj].state = SUCCEEDED;
            put_in(jj, ENDED)
        :: else ->
            if
            :: FAILURES(jj) < MAX_ATTEMPTS -> job[jj].state = DELAYED; put_in(jj, SCHEDULED)
            :: else -> job[jj].state = DEAD; put_in(jj, ENDED)
            fi
        fi
    :: else ->
#ifdef BUG_STALE_SETTLE_REMOVES
        remove(n, jj)
#else
        skip
#endif
    fi
}

inline give_back_one(n, jj)
{
    remove(n, jj);
    if
    :: !was_removed
    :: else ->
        if
        :: job[jj].state == RUNNING && job[jj].holder == n ->
#ifdef BUG_NUMBER_USED_AGAIN
            job[jj].attempt--;
#else
            job[jj].excused++;
#endif
            queue(jj);
            put_in(jj, READY)
        :: job[jj].state == QUEUED -> put_in(jj, READY)
        :: else
        fi
    fi
}

inline give_back(n, jobs)
{
    if
    :: (jobs) & 1 -> give_back_one(n, 0)
    :: else
    fi;
#if JOBS > 1
    if
    :: (jobs) & 2 -> give_back_one(n, 1)
    :: else
    fi;
#endif
    check_all()
}

inline reap_one(n, jj)
{
    remove(n, jj);
    if
    :: !was_removed
    :: else ->
        assert(!HOLDS_LEASE(n)); /* HOLDS */
        if
        :: job[jj].state == RUNNING && job[jj].holder == n ->
            job[jj].lost++;
            if
            :: job[jj].lost > MAX_LOST -> job[jj].state = DEAD; put_in(jj, ENDED)
            :: job[jj].lost == 1 -> queue(jj); put_in(jj, READY)
            :: else -> job[jj].state = DELAYED; job[jj].holder = NOBODY; put_in(jj, SCHEDULED)
            fi
        :: job[jj].state == QUEUED -> put_in(jj, READY)
        :: else
        fi
    fi
}

#ifdef BUG_REAP_UNCHECKED
#define IS_ALIVE(n) false
#else
#define IS_ALIVE(n) (name[n].is_registered && name[n].is_fresh)
#endif

inline reap(n, jobs, is_own)
{
    if
    :: IS_ALIVE(n) && !(is_own)
    :: else ->
        if
        :: (jobs) & 1 -> reap_one(n, 0)
        :: else
        fi;
#if JOBS > 1
        if
        :: (jobs) & 2 -> reap_one(n, 1)
        :: else
        fi;
#endif
        if
#ifdef BUG_REAP_FORGETS
        :: true ->
#else
        :: LIST_EMPTY(n) ->
#endif
            if
            :: name[n].is_registered && LIST_EMPTY(n) -> name[n].is_reaped = true
            :: else
            fi;
            name[n].is_registered = false;
            name[n].is_fresh = false;
            name[n].has_lost = false
        :: else ->
#ifndef BUG_REAP_TELLS_NOT
            name[n].has_lost = name[n].is_registered;
#endif
            name[n].is_fresh = false
        fi
    fi;
    check_all()
}

inline promote_one(jj)
{
    if
#ifdef BUG_PROMOTE_UNCHECKED
    :: job[jj].place != SCHEDULED -> queue(jj); put_in(jj, READY)
#endif
    :: job[jj].place == SCHEDULED ->
        job[jj].place = NOWHERE;
        if
        :: job[jj].state == DELAYED -> queue(jj); put_in(jj, READY)
        :: else
        fi
    :: else
    fi;
    check(jj)
}

inline put_blob(jj, its_token)
{
    if
#ifdef BUG_BLOB_OVERWRITTEN
    :: true -> job[jj].blob = its_token
#else
    :: job[jj].blob == 0 -> job[jj].blob = its_token
    :: else
#endif
    fi
}

/* ---- a worker ---- */

#define SLOT(s) w[id].slot[s]
#define IS_STARTING(s) (SLOT(s).phase == STARTING)
#define IS_SETTLING(s) (SLOT(s).phase == SETTLING || SLOT(s).phase == FAILING)
#define IS_CUT(s) (SLOT(s).phase >= CUT_SETTLING)
#define KNOWS_IN(s, jj) (SLOT(s).j == (jj) && SLOT(s).phase >= RUNS && SLOT(s).phase <= FAILING)
#define KNOWS(jj) (KNOWS_IN(0, jj) || KNOWS_IN(1, jj))
#define HAS_ROOM (SLOT(0).phase == NONE || SLOT(1).phase == NONE)
#define HAS_NO_ATTEMPT (SLOT(0).phase == NONE && SLOT(1).phase == NONE)
#define NOTHING_UNDER_WAY (!w[id].is_waiting && !IS_STARTING(0) && !IS_STARTING(1) && w[id].back == 0)
#define NOTHING_CUT_UNDER_WAY (!IS_CUT(0) && !IS_CUT(1))

inline free_slot(s)
{
    SLOT(s).phase = NONE;
    SLOT(s).j = 0;
    SLOT(s).number = 0;
    SLOT(s).token = 0;
    SLOT(s).content = 0
}

/* A result that is on its way to the store may still get there; a settlement on its way to Redis may, too. */
inline cut_slot(s)
{
    if
    :: SLOT(s).phase == RUNS -> job[SLOT(s).j].late_put = SLOT(s).token; free_slot(s)
    :: SLOT(s).phase == SETTLING -> SLOT(s).phase = CUT_SETTLING
    :: SLOT(s).phase == FAILING -> SLOT(s).phase = CUT_FAILING
    :: else
    fi
}

inline doubt()
{
    w[id].is_doubtful = true;
    w[id].is_to_look_again = true
}

inline doubt_if_stale()
{
    if
    :: is_stale -> doubt()
    :: else
    fi
}

inline cut_off()
{
    cut_slot(0);
    cut_slot(1);
    w[id].is_doubtful = true
}

inline claim_into(s, jj)
{
    SLOT(s).phase = STARTING;
    SLOT(s).j = jj
}

inline on_waited(jj)
{
    w[id].is_waiting = false;
    if
    :: w[id].leaving -> w[id].back = w[id].back | (1 << jj)
    :: else ->
        if
        :: SLOT(0).phase == NONE -> claim_into(0, jj)
        :: else -> claim_into(1, jj)
        fi
    fi
}

#ifdef BUG_POP_THEN_RECORD
#define MOVED_TO(n) NOWHERE
#else
#define MOVED_TO(n) (TAKEN + (n))
#endif

/* The next incarnation of a process that has ended. */
inline begin_anew()
{
    name[w[id].me].is_gone = true;
    free_slot(0);
    free_slot(1);
    w[id].me = next_name;
    next_name++;
    w[id].is_known = false;
    w[id].is_held = false;
    w[id].is_refused = false;
    w[id].is_waiting = false;
    w[id].is_doubtful = false;
    w[id].is_to_look_again = false;
    w[id].leaving = 0;
    w[id].back = 0
}

#define WAIT_OPTIONS(jj)                                                                                     \
    :: d_step { w[id].is_waiting && job[jj].place == READY -> job[jj].place = MOVED_TO(w[id].me); on_waited(jj); check(jj) } \
    :: d_step { w[id].is_waiting && job[jj].place == READY && losses -> losses--; job[jj].place = TAKEN + w[id].me; \
        w[id].is_waiting = false; doubt(); check(jj) }                                        \
    :: d_step { w[id].broken && job[jj].place == READY -> job[jj].place = TAKEN + w[id].broken - 1;            \
        w[id].broken = 0; check(jj) }

inline on_started(s)
{
    if
    :: is_given ->
        SLOT(s).number = job[SLOT(s).j].attempt;
        SLOT(s).token = job[SLOT(s).j].starts;
        if
        :: job[SLOT(s).j].attempt > 1 && job[SLOT(s).j].blob ->
            SLOT(s).content = job[SLOT(s).j].blob;
            SLOT(s).phase = SETTLING
        :: else ->
#if !LATE
            assert(!job[SLOT(s).j].blob); /* RERUN */
#endif
            SLOT(s).phase = RUNS
        fi
    :: else -> free_slot(s)
    fi
}

inline use_stored(s)
{
#ifdef BUG_OWN_RESULT_REPORTED
    SLOT(s).content = SLOT(s).token;
#else
    SLOT(s).content = job[SLOT(s).j].blob;
#endif
    SLOT(s).phase = SETTLING
}

#define SETTLE(s, has_failed)                                                                                \
    settle(w[id].me, SLOT(s).j, SLOT(s).number, SLOT(s).token, SLOT(s).content, has_failed)

#define SLOT_OPTIONS(s)                                                                                      \
    :: d_step { IS_STARTING(s) -> start(w[id].me, SLOT(s).j); on_started(s); check_all() }                     \
    :: d_step { IS_STARTING(s) && losses -> losses--; start(w[id].me, SLOT(s).j); free_slot(s);                \
        doubt(); check_all() }                                                                \
    :: d_step { IS_STARTING(s) && losses -> losses--; keep_late(LATE_START, s); free_slot(s); doubt() } \
    :: d_step { SLOT(s).phase == RUNS -> SLOT(s).phase = FAILING }                                             \
    :: d_step { SLOT(s).phase == RUNS -> put_blob(SLOT(s).j, SLOT(s).token); use_stored(s) }                  \
    :: d_step { SLOT(s).phase == SETTLING -> SETTLE(s, false); doubt_if_stale(); free_slot(s); check_all() }    \
    :: d_step { SLOT(s).phase == FAILING -> SETTLE(s, true); doubt_if_stale(); free_slot(s); check_all() }      \
    :: d_step { SLOT(s).phase == CUT_SETTLING -> SETTLE(s, false); free_slot(s); check_all() }                  \
    :: d_step { SLOT(s).phase == CUT_FAILING -> SETTLE(s, true); free_slot(s); check_all() }                    \
    :: d_step { SLOT(s).phase == SETTLING && losses -> losses--; SETTLE(s, false); check_all() }                \
    :: d_step { SLOT(s).phase == FAILING && losses -> losses--; SETTLE(s, true); check_all() }                  \
    :: d_step { IS_CUT(s) -> keep_late_settlement(s); free_slot(s) }

#if LATE
inline keep_late(what, s)
{
    if
    :: lates && late.kind == LATE_NONE ->
        lates--;
        late.kind = (what);
        late.sender = w[id].me;
        late.j = SLOT(s).j;
        late.number = SLOT(s).number;
        late.token = SLOT(s).token;
        late.content = SLOT(s).content
    :: else
    fi
}
#else
inline keep_late(what, s)
{
    skip
}
#endif
inline keep_late_settlement(s)
{
    keep_late(LATE_SETTLE + SLOT(s).phase - CUT_SETTLING, s)
}

inline list()
{
    unknown = 0;
    w[id].is_doubtful = false;
    if
    :: IN_LIST(w[id].me, 0) && !KNOWS(0) -> unknown = unknown | 1
    :: else
    fi;
#if JOBS > 1
    if
    :: IN_LIST(w[id].me, 1) && !KNOWS(1) -> unknown = unknown | 2
    :: else
    fi;
#endif
    w[id].back = unknown;
    unknown = 0
}

proctype Worker(byte id)
{
end:
    do
    /* the lease */
    :: d_step { !w[id].is_refused && (!w[id].is_known || !name[w[id].me].is_fresh || !w[id].is_held) &&
            (!w[id].is_known || (name[w[id].me].is_registered && !name[w[id].me].has_lost)) ->
        name[w[id].me].is_registered = true;
        name[w[id].me].is_fresh = true;
        w[id].is_known = true;
        w[id].is_held = true;
        check_all() }
    :: d_step { !w[id].is_refused && w[id].is_known && (!name[w[id].me].is_registered || name[w[id].me].has_lost) ->
        w[id].is_held = false;
        w[id].is_refused = true;
        cut_off() }
    :: d_step { w[id].is_held && !name[w[id].me].is_fresh -> w[id].is_held = false; cut_off() }
    :: d_step { w[id].is_held && losses && !ALL_ENDED -> losses--; w[id].is_held = false; cut_off() }
    :: d_step { w[id].is_refused && NOTHING_UNDER_WAY && NOTHING_CUT_UNDER_WAY ->
        name[w[id].me].is_gone = true;
        w[id].me = next_name;
        next_name++;
        w[id].is_known = false;
        w[id].is_refused = false;
        w[id].is_doubtful = false;
        w[id].is_to_look_again = false }

    /* The wait. A worker's lease is counted from when its renewal was sent: while it believes in it, it holds it. */
    :: d_step { w[id].is_held && name[w[id].me].is_fresh && !w[id].is_refused && !w[id].leaving && !w[id].is_doubtful && !w[id].is_waiting &&
            w[id].back == 0 && HAS_ROOM && !ALL_ENDED ->
        w[id].is_waiting = true }
    :: d_step { w[id].is_waiting && (w[id].is_doubtful || w[id].leaving || w[id].is_refused || !w[id].is_held ||
            ALL_ENDED) ->
        w[id].is_waiting = false }
    :: d_step { w[id].is_waiting && losses && !ALL_ENDED && !w[id].broken ->
        losses--;
        w[id].is_waiting = false;
        doubt();
        w[id].broken = 1 + w[id].me }
    :: d_step { w[id].broken -> w[id].broken = 0 }
    WAIT_OPTIONS(0)
#if JOBS > 1
    WAIT_OPTIONS(1)
#endif

    /* attempts */
    SLOT_OPTIONS(0)
    SLOT_OPTIONS(1)

    /* comparing its list with what it knows of */
    :: d_step { w[id].is_doubtful && w[id].is_held && !w[id].is_refused && NOTHING_UNDER_WAY && NOTHING_CUT_UNDER_WAY ->
        list() }
    :: d_step { w[id].is_to_look_again && !w[id].is_doubtful && !w[id].broken && !IS_SETTLING(0) && !IS_SETTLING(1) ->
        w[id].is_to_look_again = false;
        w[id].is_doubtful = true }
    :: d_step { w[id].back -> give_back(w[id].me, w[id].back); w[id].back = 0 }
    :: d_step { w[id].back && losses -> losses--; give_back(w[id].me, w[id].back); w[id].back = 0; doubt() }
    :: d_step { w[id].back && losses -> losses--;
#if LATE
        if
        :: lates && late.kind == LATE_NONE -> lates--; late.kind = LATE_BACK; late.sender = w[id].me; late.bits = w[id].back
        :: else
        fi;
#endif
        w[id].back = 0; doubt() }

    /* the end */
    :: d_step { faults && !ALL_ENDED && !w[id].leaving -> faults--; w[id].leaving = 1; w[id].is_doubtful = true }
    :: d_step { w[id].leaving == 1 && !HAS_NO_ATTEMPT -> w[id].leaving = 2; cut_off() }
    :: d_step { w[id].leaving && HAS_NO_ATTEMPT && !w[id].is_doubtful && !w[id].is_refused && NOTHING_UNDER_WAY ->
        reap(w[id].me, 0, true);
        begin_anew() }
    :: d_step { faults && !ALL_ENDED -> faults--; cut_slot(0); cut_slot(1); begin_anew() }
    od
}

/* ---- what is nobody's ---- */

#if LATE
inline clear_late()
{
    late.kind = LATE_NONE;
    late.sender = 0;
    late.j = 0;
    late.bits = 0;
    late.number = 0;
    late.token = 0;
    late.content = 0
}
#endif

/* Upkeep, done by any worker. It looks, and acts later on what it saw. */
#define IS_IDLE (!is_reaping && !is_promoting)
#define REAP_OPTIONS(n)                                                                                      \
    :: d_step { IS_IDLE && ((name[n].is_registered && !name[n].is_fresh) || (IS_SWEPT(n) && !LIST_EMPTY(n))) ->  \
        whose = n; is_reaping = true;                                                                        \
        seen = IN_LIST(n, 0) | (IN_LIST(n, JOBS - 1) << (JOBS - 1)) }
#ifdef BUG_NEVER_SWEPT
#define IS_SWEPT(n) false
#else
#define IS_SWEPT(n) name[n].is_reaped
#endif

proctype Upkeep()
{
    byte whose = 0;
    byte seen = 0;
    bit is_reaping = false;
    bit is_promoting = false;

end:
    do
    REAP_OPTIONS(0)
    REAP_OPTIONS(1)
#if NAMES > 2
    REAP_OPTIONS(2)
#endif
#if NAMES > 3
    REAP_OPTIONS(3)
#endif
#if NAMES > 4
    REAP_OPTIONS(4)
#endif
    :: d_step { IS_IDLE && (job[0].place == SCHEDULED || job[JOBS - 1].place == SCHEDULED) ->
        seen = (job[0].place == SCHEDULED) | ((job[JOBS - 1].place == SCHEDULED) << (JOBS - 1));
        is_promoting = true }
    :: d_step { is_reaping -> reap(whose, seen, false); is_reaping = false; seen = 0; whose = 0 }
    :: d_step { is_promoting ->
        if
        :: seen & 1 -> promote_one(0)
        :: else
        fi;
#if JOBS > 1
        if
        :: seen & 2 -> promote_one(1)
        :: else
        fi;
#endif
        is_promoting = false; seen = 0 }
    od
}

#define LAPSE_OPTION(n)                                                                                      \
    :: d_step { name[n].is_registered && name[n].is_fresh && (name[n].is_gone || (faults && !ALL_ENDED)) ->                    \
        if                                                                                                   \
        :: !name[n].is_gone -> faults--                                                                      \
        :: else                                                                                              \
        fi;                                                                                                  \
        name[n].is_fresh = false }

#define LATE_PUT_OPTIONS(jj)                                                                                 \
    :: d_step { job[jj].late_put -> put_blob(jj, job[jj].late_put); job[jj].late_put = 0 }                     \
    :: d_step { job[jj].late_put -> job[jj].late_put = 0 }

proctype World()
{
end:
    do
    LAPSE_OPTION(0)
    LAPSE_OPTION(1)
#if NAMES > 2
    LAPSE_OPTION(2)
#endif
#if NAMES > 3
    LAPSE_OPTION(3)
#endif
#if NAMES > 4
    LAPSE_OPTION(4)
#endif
    LATE_PUT_OPTIONS(0)
#if JOBS > 1
    LATE_PUT_OPTIONS(1)
#endif
#if LATE
    :: d_step { late.kind != LATE_NONE ->
        if
        :: late.kind == LATE_START -> start(late.sender, late.j)
        :: late.kind == LATE_SETTLE -> settle(late.sender, late.j, late.number, late.token, late.content, false)
        :: late.kind == LATE_FAIL -> settle(late.sender, late.j, late.number, late.token, late.content, true)
        :: else -> give_back(late.sender, late.bits)
        fi;
        clear_late();
        check_all() }
    :: d_step { late.kind != LATE_NONE -> clear_late() }
#endif
    od
}

/* Where nothing more can happen. */
inline check_end()
{
    i = 0;
    do
    :: i < JOBS -> assert(job[i].place == ENDED && job[i].state >= SUCCEEDED); i++ /* END */
    :: else -> break
    od;
    i = 0;
    do
    :: i < NAMES -> assert(!name[i].is_gone || !name[i].is_registered); i++ /* END */
    :: else -> break
    od
}

init {
    atomic {
        i = 0;
        do
        :: i < JOBS -> job[i].place = READY; job[i].holder = NOBODY; i++
        :: else -> break
        od;
        i = 0;
        do
        :: i < WORKERS ->
            w[i].me = i;
            w[i].is_known = true;
            w[i].is_held = true;
            name[i].is_registered = true;
            name[i].is_fresh = true;
            i++
        :: else -> break
        od;
        run Worker(0);
        run Worker(1);
        run Upkeep();
#if UPKEEPS > 1
        run Upkeep();
#endif
        run World()
    };
    timeout -> d_step { check_end() }
}

#include "common/net/loop.h"

#include <check.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"

Suite *loop_suite(void);

static struct loop *l;
static char trace[4096]; /* a letter for each thing that happened */

static void open_loop(void)
{
    l = loop_new();
    ck_assert_ptr_nonnull(l);
}

static void close_loop(void)
{
    l = loop_free(l);
}

static void note(const char *letter)
{
    size_t length = strlen(trace);

    ck_assert_uint_lt(length, sizeof(trace) - 1);
    trace[length] = *letter;
}

static void on_letter(void *letter)
{
    note(letter);
}

static void on_end(void *UNUSED(arg))
{
    loop_stop(l);
}

static void on_nested(void *UNUSED(arg))
{
    note("(");
    loop_call_later(l, on_letter, "x");
    loop_call_later(l, on_end, NULL);
    note(")");
}

START_TEST(a_call_for_later_comes_once_and_after_the_present_one)
{
    loop_call_later(l, on_letter, "a");
    loop_call_later(l, on_letter, "b");
    loop_call_later(l, on_nested, NULL);
    loop_call_later(l, on_letter, "c");
    ck_assert_str_eq(trace, "");
    loop_run(l);
    ck_assert_str_eq(trace, "ab()cx");
}
END_TEST

START_TEST(a_loop_that_was_stopped_runs_again)
{
    for (int i = 0; i < 3; i++) {
        loop_call_later(l, on_letter, "a");
        loop_call_later(l, on_end, NULL);
        loop_run(l);
    }
    ck_assert_str_eq(trace, "aaa");
}
END_TEST

/* ---- timers ---- */

static struct timer timer;
static struct timer end;
static int64_t fired_ms;

static void on_timer(void *letter)
{
    fired_ms = clock_steady_ms();
    note(letter);
}

static const int64_t delays[] = {0, 1, 30, 1010};

START_TEST(a_timer_fires_once_and_not_too_early)
{
    int64_t start_ms = clock_steady_ms();

    timer_init(&timer, l, on_timer, "t");
    timer_init(&end, l, on_end, NULL);
    ck_assert(!timer_is_running(&timer));
    timer_start(&timer, delays[_i]);
    timer_start(&end, delays[_i] + 60);
    ck_assert(timer_is_running(&timer));
    loop_run(l);
    ck_assert(!timer_is_running(&timer));
    ck_assert_str_eq(trace, "t");
    /* The clocks are read at different moments, and milliseconds are cut. */
    ck_assert_int_ge(fired_ms - start_ms, delays[_i] - 1);
}
END_TEST

START_TEST(starting_again_moves_a_timer)
{
    timer_init(&timer, l, on_timer, "t");
    timer_init(&end, l, on_end, NULL);
    timer_start(&timer, 1);
    timer_start(&timer, 60000);
    timer_start(&end, 30);
    loop_run(l);
    ck_assert_str_eq(trace, "");
    ck_assert(timer_is_running(&timer));
    timer_start(&timer, 1);
    timer_start(&end, 30);
    loop_run(l);
    ck_assert_str_eq(trace, "t");
}
END_TEST

START_TEST(a_stopped_timer_does_not_fire)
{
    timer_init(&timer, l, on_timer, "t");
    timer_init(&end, l, on_end, NULL);
    timer_stop(&timer);
    timer_start(&timer, 1);
    timer_stop(&timer);
    timer_stop(&timer);
    ck_assert(!timer_is_running(&timer));
    timer_start(&end, 30);
    loop_run(l);
    ck_assert_str_eq(trace, "");
}
END_TEST

START_TEST(stopping_a_timer_that_never_was_one_is_harmless)
{
    struct timer none = {.callback = NULL};

    timer_stop(&none);
    ck_assert(!timer_is_running(&none));
}
END_TEST

static void on_tick(void *UNUSED(arg))
{
    note("t");
    ck_assert(!timer_is_running(&timer));
    if (strlen(trace) < 3)
        timer_start(&timer, 1);
    else
        loop_stop(l);
}

START_TEST(a_timer_may_start_itself_again)
{
    timer_init(&timer, l, on_tick, NULL);
    timer_start(&timer, 1);
    loop_run(l);
    ck_assert_str_eq(trace, "ttt");
}
END_TEST

/* ---- other threads ---- */

enum { THREADS = 4, CALLS = 500 };

struct caller {
    int next; /* the number that is to come next */
    int made;
};

struct posted_call {
    struct caller *caller;
    int number;
};

static pthread_t loop_thread;
static struct caller callers[THREADS];
static struct posted_call posted[THREADS][CALLS];
static int arrived;

static void on_posted(void *arg)
{
    const struct posted_call *call = arg;

    ck_assert(pthread_equal(pthread_self(), loop_thread));
    ck_assert_int_eq(call->number, call->caller->next);
    call->caller->next++;
    if (++arrived == THREADS * CALLS)
        loop_stop(l);
}

static void *post_all(void *arg)
{
    struct caller *caller = arg;
    struct posted_call *calls = posted[caller - callers];

    for (int i = 0; i < CALLS; i++) {
        calls[i] = (struct posted_call){caller, i};
        loop_call_from_thread(l, on_posted, &calls[i]);
    }
    return NULL;
}

START_TEST(calls_of_other_threads_come_in_the_loops_thread_and_in_order)
{
    pthread_t threads[THREADS];

    loop_thread = pthread_self();
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, post_all, &callers[i]), 0);
    loop_run(l);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    ck_assert_int_eq(arrived, THREADS * CALLS);
}
END_TEST

START_TEST(a_call_before_the_loop_runs_is_not_lost)
{
    loop_call_from_thread(l, on_letter, "a");
    loop_call_from_thread(l, on_letter, "b");
    loop_call_from_thread(l, on_end, NULL);
    loop_run(l);
    ck_assert_str_eq(trace, "ab");
}
END_TEST

/* ---- signals ---- */

static void on_usr1(void *letter)
{
    note(letter);
    if (strlen(trace) == 1)
        kill(getpid(), SIGUSR1);
    else
        loop_stop(l);
}

START_TEST(a_signal_is_a_callback_in_the_loop)
{
    loop_on_signal(l, SIGUSR1, on_usr1, "s");
    kill(getpid(), SIGUSR1);
    ck_assert_str_eq(trace, "");
    loop_run(l);
    ck_assert_str_eq(trace, "ss");
}
END_TEST

/* ---- the end, and the log ---- */

START_TEST(freeing_calls_nobody_and_leaks_nothing)
{
    timer_init(&timer, l, on_timer, "t");
    timer_start(&timer, 0);
    loop_on_signal(l, SIGUSR1, on_letter, "s");
    loop_on_signal(l, SIGUSR2, on_letter, "s");
    loop_call_later(l, on_letter, "l");
    loop_call_from_thread(l, on_letter, "f");
    timer_stop(&timer);
    l = loop_free(l);
    ck_assert_ptr_null(l);
    ck_assert_ptr_null(loop_free(NULL));
    ck_assert_str_eq(trace, "");
}
END_TEST

static int log_pipe[2];

static ssize_t read_log(char *out, size_t size)
{
    ssize_t n = read(log_pipe[0], out, size - 1);

    out[n > 0 ? n : 0] = '\0';
    return n;
}

static void on_talk(void *UNUSED(arg))
{
    char line[512];

    log_info(&(struct log_context){.component = "test"}, "the first");
    log_info(&(struct log_context){.component = "test"}, "the second");
    ck_assert_int_eq(read_log(line, sizeof(line)), -1);
}

static void on_talked(void *UNUSED(arg))
{
    char lines[2048];

    ck_assert_int_gt(read_log(lines, sizeof(lines)), 0);
    ck_assert_ptr_nonnull(strstr(lines, "the first"));
    ck_assert_ptr_nonnull(strstr(lines, "the second"));
    note("w");
    loop_stop(l);
}

static void talk(void)
{
    timer_init(&end, l, on_talked, NULL);
    loop_call_later(l, on_talk, NULL);
    timer_start(&end, 20);
    loop_run(l);
}

static void open_log(void)
{
    ck_assert_int_eq(pipe2(log_pipe, O_NONBLOCK | O_CLOEXEC), 0);
    log_set_output(log_pipe[1], true);
    log_set_level(LOG_INFO);
}

START_TEST(log_lines_are_gathered_and_written_once_a_turn)
{
    open_log();
    talk();
    ck_assert_str_eq(trace, "w");
}
END_TEST

static void *talk_in_thread(void *UNUSED(arg))
{
    loop_adopt(l);
    talk();
    l = loop_free(l);
    return NULL;
}

START_TEST(the_lines_of_an_adopting_thread_are_gathered_too)
{
    pthread_t thread;

    open_log();
    ck_assert_int_eq(pthread_create(&thread, NULL, talk_in_thread, NULL), 0);
    pthread_join(thread, NULL);
    log_set_flush_hook(NULL, NULL);
    ck_assert_str_eq(trace, "w");
}
END_TEST

Suite *loop_suite(void)
{
    Suite *suite = suite_create("loop");
    TCase *all = tcase_create("loop");

    tcase_add_checked_fixture(all, open_loop, close_loop);
    tcase_set_timeout(all, 20);
    tcase_add_test(all, a_call_for_later_comes_once_and_after_the_present_one);
    tcase_add_test(all, a_loop_that_was_stopped_runs_again);
    tcase_add_loop_test(all, a_timer_fires_once_and_not_too_early, 0, ARRAY_LENGTH(delays));
    tcase_add_test(all, starting_again_moves_a_timer);
    tcase_add_test(all, a_stopped_timer_does_not_fire);
    tcase_add_test(all, stopping_a_timer_that_never_was_one_is_harmless);
    tcase_add_test(all, a_timer_may_start_itself_again);
    tcase_add_test(all, calls_of_other_threads_come_in_the_loops_thread_and_in_order);
    tcase_add_test(all, a_call_before_the_loop_runs_is_not_lost);
    tcase_add_test(all, a_signal_is_a_callback_in_the_loop);
    tcase_add_test(all, freeing_calls_nobody_and_leaks_nothing);
    tcase_add_test(all, log_lines_are_gathered_and_written_once_a_turn);
    tcase_add_test(all, the_lines_of_an_adopting_thread_are_gathered_too);
    suite_add_tcase(suite, all);
    return suite;
}

/*
 * The main of both test programs: runs every suite and ends with a line "counts <passed> <failed>" for
 * tests/run.sh.
 */
#include <curl/curl.h>
#include <stdlib.h>

#include "common/base/base.h"
#include "tests/support/suites.h"

int main(void)
{
    SRunner *runner = srunner_create(NULL);
    int run;
    int failed;

    curl_global_init(CURL_GLOBAL_DEFAULT);
    for (size_t i = 0; suites[i]; i++)
        srunner_add_suite(runner, suites[i]());
    srunner_run_all(runner, CK_ENV);
    run = srunner_ntests_run(runner);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    curl_global_cleanup();
    printf("counts %d %d\n", run - failed, failed);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

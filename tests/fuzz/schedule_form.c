#include "api/schedule_form.h"
#include "tests/fuzz/fuzz.h"

/* The body of PUT /v1/schedules/{name}. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(free) char *text = fuzz_text(data, size);
    AUTO_BUF struct buf kept = BUF(1 << 24);
    struct schedule_form form;
    struct complaints complaints;
    struct error e = {.code = ERROR_OK};

    complaints_init(&complaints);
    if (schedule_form_read(text, size, &form, &complaints, &e)) {
        schedule_form_write(&form, "name", "owner", 0, &kept);
        assert(kept.length > size / 8);
        schedule_form_release(&form);
    } else {
        fuzz_check_error(&e);
    }
    complaints_release(&complaints);
    return 0;
}

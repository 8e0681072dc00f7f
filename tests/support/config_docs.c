/*
 * Prints docs/configuration.md; `make docs` runs it.
 */
#include "common/base/config.h"

int main(void)
{
    AUTO_BUF struct buf page = BUF(1 << 20);

    config_markdown(&page);
    return fwrite(page.data, 1, page.length, stdout) == page.length && !buf_is_overflown(&page) ? 0 : 1;
}

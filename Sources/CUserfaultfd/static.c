// SPDX-License-Identifier: GPL-2.0-only

/*
 * What glibc would link into a static program for features that this one has not. A definition of ours keeps the
 * members of libc.a out that have its own, with all that they want in turn. Nothing here is ever used.
 */
#ifdef CUFFD_STATIC

/* Who makes a thread gives it the state of a DNS resolver, and is linked with one: hosts, interfaces and all. */
__thread void *__libc_resp;

/* Error messages of the dynamic loader are translated, which wants message catalogues and iconv(3). */
char *__dcgettext(const char *domain, const char *text, int category);

char *__dcgettext(const char *domain, const char *text, int category)
{
	(void)domain;
	(void)category;
	return (char *)text;
}

/*
 * printf(3), with floating point and wide characters: for malloc_stats(3), for strerror(3) of an unknown error and for
 * the path of iconv(3)'s configuration.
 */
int fprintf(void *stream, const char *format, ...);
int __snprintf(char *text, unsigned long size, const char *format, ...);
int __asprintf(char **text, const char *format, ...);

int fprintf(void *stream, const char *format, ...)
{
	(void)stream;
	(void)format;
	return -1;
}

int __snprintf(char *text, unsigned long size, const char *format, ...)
{
	(void)format;
	if (size)
		*text = 0;
	return -1;
}

int __asprintf(char **text, const char *format, ...)
{
	(void)text;
	(void)format;
	return -1;
}

/* A failed assertion in libc prints with all that printf(3) can: floating point, wide characters and iconv(3). */
void __assert_fail(const char *text, const char *file, unsigned int line, const char *function);

void __assert_fail(const char *text, const char *file, unsigned int line, const char *function)
{
	(void)text;
	(void)file;
	(void)line;
	(void)function;
	__builtin_trap();
}

#endif

/* SPDX-License-Identifier: MIT */
/* The parts of a libvirt domain's XML that vail-libvirt uses: the display and the consent. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "client/vail-libvirt/domain.h"
#include "proto/macros.h"
#include <vail.h>

#define DOMAIN(metadata, devices)                                         \
	"<domain type='kvm' id='1'><name>guest</name><metadata>" metadata \
	"</metadata><devices>" devices "</devices></domain>"
#define VAIL(content) \
	"<vail:access xmlns:vail='https://vaild.io/libvirt/1'>" content "</vail:access>"
#define CLIENT(user)              "<vail:displayClient user='" user "'/>"
#define WITH_RIGHTS(user, rights) "<vail:displayClient user='" user "' rights='" rights "'/>"
#define P2P                       "<graphics type='dbus' p2p='yes'/>"

static Domain parse(const char *xml)
{
	const char *fault = NULL;
	Domain domain;

	cr_assert(domain_parse(xml, strlen(xml), &domain, &fault), "%s", fault);
	return domain;
}

Test(libvirt_domain, consent_names_users_in_their_order)
{
	_cleanup_(domain_deinit) Domain domain =
		parse(DOMAIN(VAIL(CLIENT("alice") CLIENT("bob")), P2P));

	cr_assert_eq(domain.client_count, 2);
	cr_assert_str_eq(domain.clients[0], "alice");
	cr_assert_str_eq(domain.clients[1], "bob");
}

Test(libvirt_domain, consent_gives_each_user_rights_on_the_display)
{
	_cleanup_(domain_deinit) Domain domain = parse(DOMAIN(
		VAIL(CLIENT("alice") WITH_RIGHTS("bob", "view input") WITH_RIGHTS("carol", "")
			     WITH_RIGHTS("dora", " audioInput\n  clipboard&#9;audioOutput ")),
		P2P));

	cr_assert_eq(domain.client_count, 4);
	cr_assert_eq(domain.rights[0], VAIL_DISPLAY_VIEW);
	cr_assert_eq(domain.rights[1], VAIL_DISPLAY_VIEW | VAIL_DISPLAY_INPUT);
	cr_assert_eq(domain.rights[2], VAIL_DISPLAY_VIEW);
	cr_assert_eq(domain.rights[3], VAIL_DISPLAY_VIEW | VAIL_DISPLAY_CLIPBOARD |
					       VAIL_DISPLAY_AUDIO_OUTPUT |
					       VAIL_DISPLAY_AUDIO_INPUT);
}

Test(libvirt_domain, a_domain_without_consent_names_nobody)
{
	static const char *const texts[] = {
		"<domain/>",
		DOMAIN("", P2P),
		DOMAIN(VAIL(""), P2P),
		DOMAIN("<access>" CLIENT("alice") "</access>", P2P), /* in another namespace */
		DOMAIN("<other:access xmlns:other='https://vaild.io/libvirt/2'/>", P2P),
		"<domain>" VAIL(CLIENT("alice")) "</domain>", /* outside the metadata */
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		const char *fault = NULL;
		Domain domain = { 0 };

		if (domain_parse(texts[i], strlen(texts[i]), &domain, &fault))
			cr_assert_eq(domain.client_count, 0, "%s", texts[i]);
		domain_deinit(&domain);
	}
}

Test(libvirt_domain, the_first_peer_to_peer_display_is_used)
{
	static const struct {
		const char *xml;
		DomainDisplay display;
		unsigned int graphics;
	} cases[] = {
		{ DOMAIN("", ""), DOMAIN_DISPLAY_NONE, 0 },
		{ DOMAIN("", "<graphics type='vnc'/>"), DOMAIN_DISPLAY_NONE, 0 },
		{ DOMAIN("", P2P), DOMAIN_DISPLAY_P2P, 0 },
		{ DOMAIN("", "<graphics type='vnc'/><video/>" P2P P2P), DOMAIN_DISPLAY_P2P, 1 },
		{ DOMAIN("", "<graphics type='vnc'/><graphics type='dbus'/>"), DOMAIN_DISPLAY_BUS,
		  1 },
		{ DOMAIN("", "<graphics type='dbus' p2p='no'/>" P2P), DOMAIN_DISPLAY_P2P, 1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(domain_deinit) Domain domain = parse(cases[i].xml);

		cr_assert_eq(domain.display, cases[i].display, "case %zu", i);
		cr_assert_eq(domain.graphics, cases[i].graphics, "case %zu", i);
	}
}

Test(libvirt_domain, invalid_metadata_are_refused_with_a_sentence)
{
	static const struct {
		const char *xml;
		const char *sentence;
	} cases[] = {
		{ "", "cannot be read" },
		{ "<domain", "cannot be read" },
		{ "<network/>", "cannot be read" },
		{ DOMAIN(VAIL("<vail:displayClient/>"), P2P), "has no user attribute" },
		{ DOMAIN(VAIL(CLIENT("")), P2P), "has no user attribute" },
		{ DOMAIN(VAIL(WITH_RIGHTS("alice", "view fly")), P2P), "has an unknown right" },
		{ DOMAIN(VAIL(WITH_RIGHTS("alice", "view,input")), P2P), "with spaces between" },
		{ DOMAIN(VAIL(CLIENT("alice:input")), P2P), "has a colon" },
		{ DOMAIN(VAIL("<vail:displayClients user='alice'/>"), P2P),
		  "other than displayClient" },
		{ DOMAIN(VAIL("<displayClient user='alice'/>"), P2P), "other than displayClient" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *fault = NULL;
		Domain domain;

		cr_assert_not(domain_parse(cases[i].xml, strlen(cases[i].xml), &domain, &fault));
		cr_assert(strstr(fault, cases[i].sentence), "case %zu: %s", i, fault);
	}
}

/* Writes metadata with this number of display clients. */
static char *many_clients(size_t count)
{
	char *xml;
	size_t size;
	FILE *stream = open_memstream(&xml, &size);

	fputs("<domain><metadata><vail:access xmlns:vail='" DOMAIN_NAMESPACE "'>", stream);
	for (size_t i = 0; i < count; i++)
		fprintf(stream, "<vail:displayClient user='user%zu'/>", i);
	fputs("</vail:access></metadata></domain>", stream);
	fclose(stream);
	return xml;
}

Test(libvirt_domain, at_most_64_display_clients_are_read)
{
	_cleanup_free_ char *most = many_clients(DOMAIN_CLIENTS_MAX);
	_cleanup_free_ char *more = many_clients(DOMAIN_CLIENTS_MAX + 1);
	_cleanup_(domain_deinit) Domain domain = parse(most);
	const char *fault = NULL;
	Domain unused;

	cr_assert_eq(domain.client_count, DOMAIN_CLIENTS_MAX);
	cr_assert_not(domain_parse(more, strlen(more), &unused, &fault));
	cr_assert(strstr(fault, "at most 64"), "%s", fault);
}

/* SPDX-License-Identifier: MIT */
/* The parts of a libvirt domain's XML that vail-libvirt uses: the display and the consent. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/vail-libvirt/bus.h"
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

#define RUNNING(devices, labels) "<domain><devices>" devices "</devices>" labels "</domain>"
#define LABEL(model, label)      "<seclabel model='" model "'><label>" label "</label></seclabel>"

Test(libvirt_domain, a_running_domain_names_its_bus_and_the_user_of_qemu)
{
	_cleanup_(domain_deinit) Domain domain =
		parse(RUNNING("<graphics type='vnc'/>"
			      "<graphics type='dbus' address='unix:path=/run/1.sock'/>",
			      LABEL("selinux", "a_t") LABEL("dac", "+64055:+64056")));

	cr_assert_eq(domain.display, DOMAIN_DISPLAY_BUS);
	cr_assert_str_eq(domain.bus, "unix:path=/run/1.sock");
	cr_assert_str_eq(domain.owner, "+64055:+64056");
}

Test(libvirt_domain, a_display_peer_to_peer_needs_no_bus)
{
	_cleanup_(domain_deinit) Domain domain =
		parse(RUNNING("<graphics type='dbus' address='unix:path=/run/1.sock'/>"
			      "<graphics type='dbus' p2p='yes' address='unix:path=/run/2.sock'/>",
			      LABEL("selinux", "a_t")));

	cr_assert_eq(domain.display, DOMAIN_DISPLAY_P2P);
	cr_assert_null(domain.bus);
	cr_assert_null(domain.owner);
}

Test(libvirt_domain, a_label_names_a_user_and_a_group)
{
	ProcessUser user = { 0 };

	cr_assert(bus_user_read("+64055:+64056", &user));
	cr_assert_eq(user.uid, 64055);
	cr_assert_eq(user.gid, 64056);
	cr_assert(bus_user_read("64057:64058", &user));
	cr_assert_eq(user.uid, 64057);
	cr_assert_eq(user.gid, 64058);
	cr_assert(bus_user_read("root:root", &user));
	cr_assert_eq(user.uid, 0);
	cr_assert_eq(user.gid, 0);
}

Test(libvirt_domain, without_a_label_qemu_has_the_user_of_its_manager)
{
	ProcessUser user = { .uid = 1, .gid = 1 };

	cr_assert(bus_user_read(NULL, &user));
	cr_assert_eq(user.uid, geteuid());
	cr_assert_eq(user.gid, getegid());
}

Test(libvirt_domain, an_unclear_label_names_nobody)
{
	static const char *const labels[] = {
		"",
		":",
		"+1",
		"1:",
		":1",
		"+1:",
		"+-1:+1",
		"+1 :+1",
		"+1:+1:+1",
		"+4294967295:+1",
		"+1:+4294967295",
		"0x1:1",
		"no such user:+1",
		"+root:+1",
		"+99999999999999999999:+1",
	};

	for (size_t i = 0; i < ARRAY_SIZE(labels); i++) {
		ProcessUser user = { .uid = 7, .gid = 7 };

		cr_assert_not(bus_user_read(labels[i], &user), "%s", labels[i]);
		cr_assert(user.uid == 7 && user.gid == 7);
	}
}

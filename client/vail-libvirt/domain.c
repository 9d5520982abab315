/* SPDX-License-Identifier: MIT */
#include "client/vail-libvirt/domain.h"

#include <ctype.h>
#include <libxml/parser.h>
#include <libxml/tree.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "client/common/client-list.h"
#include "proto/macros.h"

static bool is_element(const xmlNode *node, const char *name)
{
	return node->type == XML_ELEMENT_NODE && strcmp((const char *)node->name, name) == 0;
}

static bool is_vail_element(const xmlNode *node, const char *name)
{
	return is_element(node, name) && node->ns &&
	       strcmp((const char *)node->ns->href, DOMAIN_NAMESPACE) == 0;
}

static const xmlNode *find_child(const xmlNode *parent, const char *name)
{
	for (const xmlNode *node = parent->children; node; node = node->next)
		if (is_element(node, name))
			return node;
	return NULL;
}

/* Copies an attribute. The caller frees it. Returns NULL if it is absent or out of memory. */
static char *copy_attribute(const xmlNode *node, const char *name)
{
	xmlChar *text = xmlGetNoNsProp(node, (const xmlChar *)name);
	char *copy = text ? strdup((const char *)text) : NULL;

	xmlFree(text);
	return copy;
}

static bool attribute_is(const xmlNode *node, const char *name, const char *value)
{
	xmlChar *text = xmlGetNoNsProp(node, (const xmlChar *)name);
	bool is_equal = text && strcmp((const char *)text, value) == 0;

	xmlFree(text);
	return is_equal;
}

/* Finds the first peer-to-peer display or, without one, the first on a bus. */
static void read_displays(const xmlNode *devices, Domain *domain)
{
	unsigned int index = 0;

	for (const xmlNode *node = devices->children; node; node = node->next) {
		if (!is_element(node, "graphics"))
			continue;
		if (attribute_is(node, "type", "dbus")) {
			bool is_p2p = attribute_is(node, "p2p", "yes");
			DomainDisplay display = is_p2p ? DOMAIN_DISPLAY_P2P : DOMAIN_DISPLAY_BUS;

			if (domain->display < display) {
				domain->display = display;
				domain->graphics = index;
				free(domain->bus);
				domain->bus = is_p2p ? NULL : copy_attribute(node, "address");
			}
		}
		index++;
	}
}

/* Reads the user of QEMU from the security label of the model dac, which a running domain has. */
static void read_owner(const xmlNode *root, Domain *domain)
{
	for (const xmlNode *node = root->children; node && !domain->owner; node = node->next) {
		const xmlNode *label = NULL;

		if (is_element(node, "seclabel") && attribute_is(node, "model", "dac"))
			label = find_child(node, "label");
		xmlChar *text = label ? xmlNodeGetContent(label) : NULL;
		if (text)
			domain->owner = strdup((const char *)text);
		xmlFree(text);
	}
}

/* Reads the names of rights, with white space between them. */
static bool read_rights(const xmlNode *node, unsigned int *ret_rights, const char **ret_fault)
{
	static const char space[] = " \t\n\r";
	xmlChar *names = xmlGetNoNsProp(node, (const xmlChar *)"rights");
	char *rest = NULL;

	*ret_rights = VAIL_DISPLAY_VIEW;
	for (char *name = names ? strtok_r((char *)names, space, &rest) : NULL; name;
	     name = strtok_r(NULL, space, &rest)) {
		unsigned int right = vail_display_right(name);

		*ret_rights |= right;
		if (right == 0)
			*ret_fault =
				"the rights attribute of a displayClient has an unknown right; "
				"give some of " DISPLAY_RIGHT_NAMES
				", with spaces between them, like <vail:displayClient "
				"user='alice' rights='view input'/>";
	}
	xmlFree(names);
	return !*ret_fault;
}

static bool has_control_character(const char *text)
{
	for (; *text; text++)
		if (iscntrl((unsigned char)*text))
			return true;
	return false;
}

static bool add_client(const xmlNode *node, Domain *domain, const char **ret_fault)
{
	xmlChar *user = xmlGetNoNsProp(node, (const xmlChar *)"user");
	size_t index = domain->client_count;

	if (!user || *user == '\0')
		*ret_fault = "a displayClient has no user attribute; name the user, like "
			     "<vail:displayClient user='alice'/>";
	else if (has_control_character((const char *)user))
		*ret_fault = "the user attribute of a displayClient has a control character; give "
			     "the name of a user";
	else if (strchr((const char *)user, ':'))
		*ret_fault = "the user attribute of a displayClient has a colon, which no user "
			     "name has; put the rights into an attribute of their own, like "
			     "<vail:displayClient user='alice' rights='view input'/>";
	else if (index == DOMAIN_CLIENTS_MAX)
		*ret_fault = "the metadata name more than 64 display clients; name at most 64";
	else if (read_rights(node, &domain->rights[index], ret_fault) &&
		 !(domain->clients[index] = strdup((const char *)user)))
		*ret_fault = "this process is out of memory";
	domain->client_count += !*ret_fault;
	xmlFree(user);
	return !*ret_fault;
}

static bool read_access(const xmlNode *access, Domain *domain, const char **ret_fault)
{
	for (const xmlNode *node = access->children; node; node = node->next) {
		if (node->type != XML_ELEMENT_NODE)
			continue;
		if (!is_vail_element(node, "displayClient")) {
			*ret_fault = "the metadata have an element other than displayClient in "
				     "access; remove it, or correct its name or namespace";
			return false;
		}
		if (!add_client(node, domain, ret_fault))
			return false;
	}
	return true;
}

static bool read_domain(const xmlNode *root, Domain *domain, const char **ret_fault)
{
	const xmlNode *devices = find_child(root, "devices");
	const xmlNode *metadata = find_child(root, "metadata");

	if (devices)
		read_displays(devices, domain);
	read_owner(root, domain);
	for (const xmlNode *node = metadata ? metadata->children : NULL; node; node = node->next)
		if (is_vail_element(node, "access") && !read_access(node, domain, ret_fault))
			return false;
	return true;
}

bool domain_parse(const char *xml, size_t size, Domain *ret, const char **ret_fault)
{
	Domain domain = { 0 };
	const char *fault = NULL;
	xmlDoc *document = NULL;

	/* Entities and the network are never used: options that would do so are absent. */
	if (size <= INT_MAX)
		document = xmlReadMemory(xml, (int)size, NULL, NULL,
					 XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
	const xmlNode *root = document ? xmlDocGetRootElement(document) : NULL;
	if (!root || !is_element(root, "domain"))
		fault = "libvirt's description of the domain cannot be read";
	else
		read_domain(root, &domain, &fault);
	xmlFreeDoc(document);
	if (fault) {
		domain_deinit(&domain);
		*ret_fault = fault;
		return false;
	}
	*ret = domain;
	return true;
}

void domain_deinit(Domain *domain)
{
	for (size_t i = 0; i < domain->client_count; i++)
		free(domain->clients[i]);
	free(domain->bus);
	free(domain->owner);
	*domain = (Domain){ 0 };
}

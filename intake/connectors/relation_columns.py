"""What the columns of a file of customers, companies or exposure counts hold: told by a person, an export's preset, or their names."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from feedback_portal.marking import marked
from intake.connectors.presets import plain
from intake.connectors.presets.support import salesforce_id

# Everything a column can hold, by kind of file, in the words of the page that asks for it.
_RECORD = {
    "external_id": marked("Its number, by which it is known again"),
    "name": marked("Name"),
    "products": marked("Products they own"),
    "since": marked("Since when they own them"),
    "updated_at": marked("When it was last changed at the source"),
    "merged": marked("Records that were merged into it"),
    "merged_into": marked("Record that it was merged into"),
    "deleted": marked("Whether it was deleted"),
}
FIELDS: Mapping[str, Mapping[str, str]] = {
    "customers": {
        **_RECORD,
        "first_name": marked("First name"),
        "last_name": marked("Last name"),
        "email": marked("E-mail address"),
        "other_emails": marked("Further e-mail addresses"),
        "language": marked("Language"),
        "account_id": marked("Number of their company"),
        "account_name": marked("Name of their company"),
    },
    "accounts": {
        **_RECORD,
        "domain": marked("Domain or web page"),
        "segment": marked("Segment"),
        "value": marked("What it is worth a year"),
        "currency": marked("Currency of that"),
        "lifecycle": marked("Where it stands, such as lead or customer"),
        "owner": marked("Who looks after it"),
    },
    "exposures": {
        "kind": marked("What is counted"),
        "count": marked("The count"),
        "units_shipped": marked("Units shipped"),
        "orders": marked("Orders"),
        "visits": marked("Visits"),
        "product": marked("Product"),
        "site": marked("Site"),
        "day": marked("Day"),
        "updated_at": marked("When it was last changed at the source"),
    },
}
IGNORE = "ignore"

# What columns are called, as `plain` writes it; earlier names win over later ones.
_NAMES: Mapping[str, tuple[str, ...]] = {
    "external_id": (
        "external_id", "record_id", "recordid", "hs_object_id", "id", "customer_id", "customer_number", "contact_id", "account_id",
        "company_id", "account_number", "datensatz_id", "kundennummer", "kunden_id", "kunden_nr", "id_de_registro", "numero_de_cliente",
        "número_de_cliente", "identifiant", "id_client", "numéro_client", "id_cliente", "codice_cliente", "klantnummer", "record_nummer",
    ),
    "name": (
        "name", "full_name", "customer_name", "company_name", "account_name", "company", "unternehmensname", "name_des_unternehmens", "firma",
        "firmenname", "nombre_de_la_empresa", "nom_de_l_entreprise", "nom_complet", "nombre_completo", "nome_da_empresa", "bedrijfsnaam",
        "ragione_sociale",
    ),
    "first_name": ("first_name", "firstname", "given_name", "vorname", "prénom", "prenom", "nombre", "nome", "voornaam"),
    "last_name": ("last_name", "lastname", "surname", "family_name", "nachname", "nom", "nom_de_famille", "apellidos", "apellido", "cognome", "achternaam", "sobrenome"),
    "email": (
        "email", "e_mail", "email_address", "e_mail_address", "e_mail_adresse", "mail", "adresse_e_mail", "courriel", "correo", "correo_electrónico",
        "correo_electronico", "e_mailadres", "endereço_de_e_mail",
    ),
    "other_emails": ("additional_email_addresses", "hs_additional_emails", "other_emails", "secondary_email", "weitere_e_mail_adressen"),
    "language": ("language", "preferred_language", "hs_language", "sprache", "bevorzugte_sprache", "langue", "idioma", "lingua", "taal"),
    "account_id": ("account_id", "accountid", "company_id", "primary_associated_company_id", "associated_company_id", "associatedcompanyid", "firmennummer"),
    "account_name": ("account_name", "company_name", "company", "primary_associated_company", "associated_company", "firma", "unternehmen", "unternehmensname", "entreprise", "empresa", "azienda", "bedrijf"),
    "domain": (
        "domain", "company_domain_name", "company_domain", "website", "website_url", "web_site", "domainname_des_unternehmens", "unternehmensdomain",
        "webseite", "nom_de_domaine_de_l_entreprise", "site_web", "nombre_de_dominio_de_la_empresa", "sitio_web", "dominio", "sito_web",
    ),
    "segment": (
        "segment", "customer_segment", "customer_tier", "tier", "kundensegment", "kundenstufe", "segmento", "type", "account_type", "typ", "industry",
        "branche", "secteur", "secteur_d_activité", "sector", "settore", "industria",
    ),
    "value": (
        "value", "annual_revenue", "annualrevenue", "revenue", "arr", "contract_value", "acv", "jahresumsatz", "umsatz", "jährlicher_umsatz",
        "revenu_annuel", "chiffre_d_affaires", "chiffre_d_affaires_annuel", "ingresos_anuales", "facturación_anual", "fatturato", "fatturato_annuo",
        "jaaromzet", "receita_anual",
    ),
    "currency": ("currency", "currencyisocode", "currency_iso_code", "account_currency", "annual_revenue_currency", "währung", "devise", "moneda", "valuta", "moeda"),
    "lifecycle": ("lifecycle", "lifecycle_stage", "lifecyclestage", "lifecycle_phase", "phase_du_cycle_de_vie", "etapa_del_ciclo_de_vida", "status"),
    "owner": ("owner", "owner_name", "company_owner", "account_owner", "account_manager", "zuständiger_mitarbeiter", "für_unternehmen_zuständiger_mitarbeiter", "propriétaire", "propietario", "proprietario"),
    "products": ("products", "product", "products_owned", "owned_products", "produkte", "produkt", "produits", "produit", "productos", "producto", "prodotti"),
    "since": ("since", "owned_since", "purchased_at", "purchase_date", "kaufdatum", "seit", "date_d_achat", "fecha_de_compra"),
    "updated_at": (
        "updated_at", "last_modified_date", "lastmodifieddate", "systemmodstamp", "system_modstamp", "hs_lastmodifieddate", "last_modified", "modified_at",
        "datum_der_letzten_änderung", "zuletzt_geändert", "geändert_am", "date_de_dernière_modification", "fecha_de_última_modificación", "fivetran_synced",
    ),
    "merged": ("merged_object_ids", "hs_merged_object_ids", "merged_record_ids", "merged_ids", "zusammengeführte_datensatz_ids"),
    "merged_into": ("merged_into", "merged_into_id", "masterrecordid", "master_record_id"),
    "deleted": ("deleted", "is_deleted", "isdeleted", "fivetran_deleted", "archived", "gelöscht"),
    "kind": ("kind", "metric", "measure", "what", "kennzahl", "art"),
    "count": ("count", "quantity", "qty", "number", "total", "anzahl", "menge", "nombre", "quantité", "cantidad", "aantal"),
    "units_shipped": ("units_shipped", "units", "shipped", "shipments", "ausgelieferte_einheiten", "ausgeliefert", "unités_expédiées", "unidades_enviadas"),
    "orders": ("orders", "order_count", "bestellungen", "aufträge", "commandes", "pedidos", "ordini"),
    "visits": ("visits", "visitors", "footfall", "besuche", "besucher", "visites", "visitas", "visite"),
    "product": ("product", "product_name", "sku", "model", "produkt", "artikel", "produit", "producto", "prodotto"),
    "site": ("site", "location", "store", "branch", "shop", "standort", "filiale", "site_name", "magasin", "tienda", "negozio", "lieu"),
    "day": ("day", "date", "datum", "tag", "jour", "fecha", "data", "giorno"),
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Preset:
    """One kind of export: what it is of, whose ids stand in it, and what its columns hold beyond what their names tell."""

    slug: str
    name: str
    kind: str
    system: str = ""
    # Columns that must all be there; one of the sets is enough.
    signatures: tuple[frozenset[str], ...] = ()
    fields: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    number: Callable[[str], str] = str


PRESETS: Mapping[str, Preset] = {
    preset.slug: preset
    for preset in (
        Preset(
            "hubspot_contacts", marked("HubSpot, contacts"), "customers", "hubspot",
            signatures=(
                frozenset({"record_id", "first_name", "last_name"}), frozenset({"id", "property_email"}), frozenset({"datensatz_id", "vorname", "nachname"}),
                frozenset({"hs_object_id", "firstname", "lastname"}), frozenset({"id_de_registro", "nombre", "apellidos"}),
            ),
            fields={"account_name": ("company_name", "associated_company", "primary_associated_company"), IGNORE: ("contact_owner",)},
        ),
        Preset(
            "hubspot_companies", marked("HubSpot, companies"), "accounts", "hubspot",
            signatures=(
                frozenset({"record_id", "company_name"}), frozenset({"company_name", "company_domain_name"}), frozenset({"id", "property_name", "property_industry"}),
                frozenset({"datensatz_id", "unternehmensname"}), frozenset({"datensatz_id", "name_des_unternehmens"}), frozenset({"hs_object_id", "domain", "name"}),
            ),
        ),
        Preset(
            "salesforce_contacts", marked("Salesforce, contacts"), "customers", "salesforce", number=salesforce_id,
            signatures=(
                frozenset({"id", "firstname", "lastname", "accountid"}), frozenset({"id", "first_name", "last_name", "account_id"}),
                frozenset({"contact_id", "first_name", "last_name"}), frozenset({"contact_id", "account_id", "email"}),
                frozenset({"id", "email", "lastname", "isdeleted"}),
            ),
            fields={"external_id": ("id", "contact_id", "contactid"), "account_id": ("accountid", "account_id")},
        ),
        Preset(
            "salesforce_accounts", marked("Salesforce, accounts"), "accounts", "salesforce", number=salesforce_id,
            signatures=(
                frozenset({"id", "name", "annualrevenue"}), frozenset({"id", "name", "annual_revenue"}), frozenset({"account_id", "account_name"}),
                frozenset({"id", "name", "type", "industry"}), frozenset({"account_name", "annual_revenue", "industry"}),
            ),
            fields={"external_id": ("id", "account_id", "accountid"), "name": ("name", "account_name"), IGNORE: ("account_number", "ownerid", "owner_id")},
        ),
        Preset("customers", marked("Customers of any system"), "customers"),
        Preset("accounts", marked("Companies of any system"), "accounts"),
        Preset("exposures", marked("Counts of any kind"), "exposures"),
    )
}  # fmt: skip


def preset_of(columns: Sequence[str]) -> Preset:
    """The preset that a file's columns belong to."""
    names = {plain(column) for column in columns}
    for preset in PRESETS.values():
        if any(signature <= names for signature in preset.signatures):
            return preset
    held = {
        field for field in ("day", "email", "last_name", "value", "domain", "segment") if names & set(_NAMES[field])
    }
    counted = any(names & set(_NAMES[field]) for field in ("count", "units_shipped", "orders", "visits"))
    if "day" in held and counted and not held & {"email", "last_name"}:
        return PRESETS["exposures"]
    if held & {"value", "domain", "segment"} and not held & {"email", "last_name"}:
        return PRESETS["accounts"]
    return PRESETS["customers"]


def columns_by_field(columns: Sequence[str], preset: Preset, told: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """The columns that hold each field, the first that says something counting. `told` {column: field} stands before all."""
    held: dict[str, list[tuple[int, str]]] = {}
    for column in columns:
        name = plain(column).removeprefix("property_")
        field, rank = (told[column], -1) if column in told else _guessed(name, preset)
        if field in FIELDS[preset.kind]:
            held.setdefault(field, []).append((rank, column))
    return {
        field: tuple(column for _, column in sorted(found, key=lambda pair: pair[0])) for field, found in held.items()
    }


def _guessed(name: str, preset: Preset) -> tuple[str, int]:
    for meant, names in preset.fields.items():
        if name in names:
            return meant, names.index(name)
    ranked = [
        (names.index(name), field)
        for field, names in _NAMES.items()
        if field in FIELDS[preset.kind] and field not in preset.fields and name in names
    ]
    return (min(ranked)[1], min(ranked)[0]) if ranked else (IGNORE, 0)

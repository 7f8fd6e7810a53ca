use uuid::Uuid;

use super::verbs;
use crate::entity::{ApiKey, ApiKeyLog, IpWhitelistEntry};
use crate::face::inputs::Ask;
use crate::record::Page;
use crate::repo::keys::{ApiKeyUpdate, NewApiKey, NewWhitelistEntry};
use crate::repo::logs::NewApiKeyLog;
use crate::repo::paging::PageRequest;
use crate::store::{Authorization, CreatedKey};

verbs! { "api_keys"(store, progress);
    write create("The key's record." record: NewApiKey) -> CreatedKey { store.api_keys().create(record) }

    write register("The key itself." key: String, "The key's record." record: NewApiKey) -> CreatedKey {
        store.api_keys().register(key, record)
    }

    read authorize("The key itself." key: String, "What the request asks for." ask: Ask) -> Authorization {
        store.api_keys().authorize(&key, &ask.borrow())
    }

    read get("The key's record." id: Uuid) -> ApiKey { store.api_keys().get(id) }

    read find("The key itself." key: String) -> Option<ApiKey> { store.api_keys().find(&key) }

    page list("Which page." page: PageRequest) -> Page<ApiKey> { store.api_keys().list(&page) }

    write update("The key's record." id: Uuid, "What to change." update: ApiKeyUpdate) -> ApiKey {
        store.api_keys().update(id, update)
    }

    write revoke("The key's record." id: Uuid, "Also the last one with full access." force: bool) -> ApiKey {
        store.api_keys().revoke(id, force)
    }

    write delete("The key's record." id: Uuid, "Also the last one with full access." force: bool) -> bool {
        store.api_keys().delete(id, force)
    }

    read whitelist("The key's record." key: Uuid) -> Vec<IpWhitelistEntry> { store.api_keys().whitelist(key) }

    write allow_address("The key's record." key: Uuid, "The address." entry: NewWhitelistEntry) -> IpWhitelistEntry {
        store.api_keys().allow_address(key, entry)
    }

    write set_address_active("The entry." entry: Uuid, "Whether it counts." active: bool) -> bool {
        store.api_keys().set_address_active(entry, active)
    }

    write remove_address("The entry." entry: Uuid) -> bool { store.api_keys().remove_address(entry) }

    write log("The request." request: NewApiKeyLog) -> ApiKeyLog { store.api_keys().log(request) }

    read log_later("The request." request: NewApiKeyLog) -> () { store.api_keys().log_later(&request) }

    page logs("Only those of this key." key: Option<Uuid>, "Which page." page: PageRequest) -> Page<ApiKeyLog> {
        store.api_keys().logs(key, &page)
    }
}

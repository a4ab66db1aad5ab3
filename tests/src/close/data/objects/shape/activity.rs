//! An activity. Keys of kinds that were never recorded are those that all kinds have.

use serde_json::{Map, Value, json};

use super::parts::{Identity, into_map, set};
use crate::close::data::objects::activity_type::ActivityType;
use crate::close::data::objects::record::Record;
use crate::close::data::time::stamp;

pub(crate) fn defaults(record: &Record, of: &ActivityType, identity: &Identity) -> Value {
    let mut activity = into_map(json!({
        "_type": of.name,
        "activity_at": stamp::zoned(record.date_created),
        "created_by": identity.user_id,
        "created_by_name": identity.user_name,
        "date_created": stamp::zoned(record.date_created),
        "date_updated": stamp::zoned(record.date_updated),
        "id": *record.id,
        "lead_id": record.lead_id.as_deref(),
        "organization_id": identity.organization_id,
        "updated_by": identity.user_id,
        "updated_by_name": identity.user_name,
        "user_id": identity.user_id,
        "user_name": identity.user_name,
        "users": [],
    }));
    activity.extend(into_map(match of.name {
        "Call" => call(),
        "Created" => json!({ "contact_id": null, "import_id": null, "source": "api" }),
        "Email" => email(),
        "FormSubmission" => form_submission(),
        "LeadStatusChange" => lead_status_change(),
        "Meeting" => meeting(record),
        "Note" => note(),
        "OpportunityStatusChange" => opportunity_status_change(),
        "SMS" => sms(),
        "TaskCompleted" => json!({
            "task_assigned_to": identity.user_id,
            "task_assigned_to_name": identity.user_name,
            "task_id": null,
            "task_text": "",
        }),
        "WhatsAppMessage" => whatsapp_message(),
        _ => json!({ "contact_id": null }),
    }));
    activity.into()
}

/// Sets the fields that follow from others.
pub(crate) fn derive(object: &mut Map<String, Value>, of: &ActivityType) {
    if of.name == "Note" {
        let note = object["note"].as_str().unwrap_or_default();
        let note = format!("<body><p>{note}</p></body>");
        set(object, "note_html", note);
    }
    if of.name == "Meeting" {
        let starts_at = object["starts_at"].clone();
        set(object, "activity_at", starts_at);
    }
}

fn call() -> Value {
    json!({
        "call_method": "external",
        "contact_id": null,
        "dialer_id": null,
        "dialer_saved_search_id": null,
        "direction": "outbound",
        "disposition": "answered",
        "duration": 0,
        "has_recording": false,
        "local_phone": null,
        "local_phone_formatted": null,
        "note": "",
        "phone": "+15555550100",
        "quality_info": "",
        "recording_url": null,
        "remote_phone": "+15555550100",
        "remote_phone_formatted": "+1 555-555-0100",
        "source": "External",
        "status": "completed",
        "transferred_from": null,
        "transferred_to": null,
        "voicemail_duration": 0,
        "voicemail_url": null,
    })
}

fn email() -> Value {
    json!({
        "attachments": [],
        "bcc": [],
        "body_html": "",
        "body_html_quoted": [],
        "body_preview": "",
        "body_text": "",
        "body_text_quoted": [],
        "bulk_email_action_id": null,
        "cc": [],
        "contact_id": null,
        "date_scheduled": null,
        "date_sent": null,
        "direction": "outgoing",
        "email_account_id": null,
        "envelope": {
            "bcc": [],
            "cc": [],
            "date": null,
            "from": [],
            "in_reply_to": null,
            "is_autoreply": false,
            "message_id": null,
            "reply_to": [],
            "sender": [],
            "subject": "",
            "to": [],
        },
        "followup_sequence_delay": null,
        "followup_sequence_id": null,
        "has_reply": false,
        "in_reply_to_id": null,
        "message_ids": [],
        "need_smtp_credentials": false,
        "opens": [],
        "opens_summary": null,
        "references": [],
        "send_attempts": [],
        "sender": null,
        "sequence_id": null,
        "sequence_name": null,
        "sequence_subscription_id": null,
        "status": "draft",
        "subject": "",
        "template_id": null,
        "template_name": null,
        "thread_id": null,
        "to": [],
    })
}

/// As Close types it in its export.
fn form_submission() -> Value {
    json!({
        "contact_id": null,
        "form_configuration_id": "formconf_1",
        "form_id": "form_1",
        "ip_address": null,
        "origin": null,
        "source_url": null,
        "source_url_normalized": null,
        "values": {},
        "values_by_name": {},
    })
}

/// Likewise.
fn whatsapp_message() -> Value {
    json!({
        "attachments": [],
        "contact_id": null,
        "direction": "outgoing",
        "external_whatsapp_message_id": "wamid.1",
        "integration_link": null,
        "integration_name": null,
        "local_phone": "+15555550100",
        "local_phone_formatted": "+1 555-555-0100",
        "message_html": "",
        "message_markdown": "",
        "remote_phone": "+15555550101",
        "remote_phone_formatted": "+1 555-555-0101",
        "response_to_id": null,
        "source": "api",
        "text": "",
    })
}

fn meeting(record: &Record) -> Value {
    json!({
        "attendees": [],
        "calendar_event_link": null,
        "calendar_event_uids": [],
        "connected_account_id": null,
        "contact_id": null,
        "duration": 3600,
        "ends_at": null,
        "integrations": [],
        "is_recurring": false,
        "location": null,
        "note": "",
        "source": "calendar",
        "starts_at": stamp::zoned(record.date_created),
        "status": "upcoming",
        "title": "",
    })
}

fn note() -> Value {
    json!({
        "attachments": [],
        "contact_id": null,
        "note": "",
        "note_mentions": [],
        "pinned": false,
        "pinned_at": null,
        "source": "api",
        "title": null,
    })
}

fn sms() -> Value {
    json!({
        "contact_id": null,
        "date_scheduled": null,
        "date_sent": null,
        "direction": "outbound",
        "error_message": null,
        "local_phone": null,
        "local_phone_formatted": null,
        "remote_phone": "+15555550100",
        "remote_phone_formatted": "+1 555-555-0100",
        "source": "External",
        "status": "draft",
        "text": "",
    })
}

fn lead_status_change() -> Value {
    json!({
        "contact_id": null,
        "new_status_id": null,
        "new_status_label": null,
        "old_status_id": null,
        "old_status_label": null,
    })
}

fn opportunity_status_change() -> Value {
    json!({
        "contact_id": null,
        "new_pipeline_id": null,
        "new_pipeline_name": null,
        "new_status_id": null,
        "new_status_label": null,
        "new_status_type": null,
        "old_pipeline_id": null,
        "old_pipeline_name": null,
        "old_status_id": null,
        "old_status_label": null,
        "old_status_type": null,
        "opportunity_confidence": null,
        "opportunity_date_won": null,
        "opportunity_id": null,
        "opportunity_value": null,
        "opportunity_value_currency": null,
        "opportunity_value_formatted": null,
        "opportunity_value_period": null,
    })
}
